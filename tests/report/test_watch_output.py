"""What watch prints: stalls on a narrow terminal, and the end of a session."""

import io

import pytest
from rich.console import Console

from loopstall.analysis.culprits import StallSummary
from loopstall.records import Evidence, Frame, Stall, StallEvent
from loopstall.report.stall_document import Session
from loopstall.report.watch_output import WatchOutput, _shown

MS = 1_000_000
SOURCE = "result = [number * number for number in range(2000) if number % 7 == 3 and number not in already_taken]"


def seen(file="/srv/app.py", line=1, length=204, cause="blocking-call", **rest):
    evidence = Evidence(
        duration_ns=length * MS, threshold_ns=5 * MS, window_ns=length * MS, own_cpu_ns=0, other_cpu_ns=0
    )
    frame = Frame(file=str(file), line=line, function="login")
    stall = Stall(
        start_ns=0, duration_ns=length * MS, cause=cause, culprit=frame, task="Task-7", label="GET /login",
        evidence=evidence,
    )  # fmt: skip
    return StallEvent(stall=stall, length_ns=length * MS, at=1e9, process="app.py 12", **rest)


def session(*events, title="loopstall watch app.py --port 8000"):
    summary = StallSummary()
    for event in events:
        summary.add(event)
    return Session(title=title, summary=summary, watched_ns=4000 * MS, began=1e9, threshold_ns=20 * MS)


def test_line_has_time_process_route_length_cause_and_line(capsys):
    WatchOutput(stacks=False).stall(seen(), "worker 13")
    clock, rest = capsys.readouterr().err.split(" ", 1)
    assert len(clock) == len("14:03:22")
    assert (
        rest
        == "loopstall [worker 13]: stall of 204 ms in GET /login, blocking-call: /srv/app.py:1 in login, task Task-7\n"
    )


def test_terminal_of_80_columns_breaks_no_word(tmp_path):
    (tmp_path / "app.py").write_text(f"{SOURCE}\n")
    event = seen(tmp_path / "app.py")
    out = io.StringIO()
    Console(file=out, width=80, highlight=False, markup=False).print(_shown(event, "worker 13", 80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0][8:].startswith("  worker 13  GET /login  204 ms  blocking-call")
    shown = lines[-1].split()
    assert shown[-1] == "…"
    assert SOURCE.split()[: len(shown) - 1] == shown[:-1]


def test_end_has_the_three_worst_with_what_to_do_and_counts_the_rest(capsys):
    events = [seen(line=line, length=100 + line) for line in range(1, 6)]
    WatchOutput(stacks=False).summary(session(*events, seen(line=9, length=900, cause="descheduled")))
    text = capsys.readouterr().err
    assert text.startswith("loopstall: 6 stalls, 1.42 s of 4.00 s, the longest 105 ms\n")
    assert [line.split(":")[-1].strip() for line in text.splitlines() if " 1 stall: " in line] == [
        f"{number} in login (blocking-call)" for number in (5, 4, 3)
    ]
    assert text.count("what to do: Await an async version") == 3
    assert "loopstall:   and 3 lines of code more that stalled the loop for less long\n" in text


@pytest.mark.parametrize(
    ("report", "form", "title", "following"),
    [
        (None, "", "loopstall watch app.py --port 8000", "loopstall watch -o stalls.html app.py --port 8000 ("),
        (None, "", "loopstall watch --pid 12: python app.py", "loopstall watch -o stalls.html --pid 12 ("),
        ("s.json", "json", "", "loopstall advise --from s.json ("),
        ("s.html", "html", "", "pytest --stall-budget 50ms ("),
    ],
)
def test_end_says_where_the_report_is_and_what_to_run_next(capsys, report, form, title, following):
    WatchOutput(stacks=False).end(session(seen(), title=title), report, form)
    *first, last = capsys.readouterr().err.splitlines()
    assert first == ([f"loopstall: report: {report}"] if report else [])
    assert last.startswith(f"loopstall: next: {following}")


def test_end_of_a_session_without_stalls_asks_for_nothing(capsys):
    WatchOutput(stacks=False).end(session(), None, "")
    assert capsys.readouterr().err == ""
