"""What stalls are put down to: the user's lines, and what is none of theirs."""

import pytest

from loopstall.analysis.culprits import Blame, StallSummary, blame, work_of
from loopstall.records import Frame, Stall, StallEvent
from loopstall.report.stall_text import blamed, described, in_a_line, summed_up

MINE = Frame(file="/srv/app.py", line=49, function="handler")
LOOP = Frame(file="/usr/lib/python3.12/asyncio/runners.py", line=118, function="Runner.run")
CYCLE = Frame(file="/venv/lib/python3.12/site-packages/uvicorn/h11_impl.py", line=4, function="run_asgi")


def stall(frame, *, ms=10, **extra):
    return Stall(start_ns=0, duration_ns=ms * 1_000_000, cause="cpu-python", culprit=frame, **extra)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"task": "Task-12", "coroutine": "run_asgi", "label": "GET /slow"}, "GET /slow"),
        ({"task": "Task-12", "coroutine": "run_asgi"}, "run_asgi"),
        ({"task": "importer"}, "importer"),
        ({"task": "Task-12"}, ""),
        ({"task": "12"}, ""),
        ({}, ""),
    ],
)
def test_work_is_the_route_or_a_name_that_a_person_gave(extra, named):
    assert work_of(stall(LOOP, **extra)) == named


def test_user_is_blamed_by_the_line_and_a_library_by_what_it_worked_for():
    assert blame(stall(MINE, label="GET /slow")) == Blame(frame=MINE)
    assert blame(stall(CYCLE, label="GET /slow")) == Blame(frame=None, library="uvicorn", work="GET /slow")
    assert blame(stall(MINE, holder=LOOP)) == Blame(frame=None, library="asyncio")
    assert blame(stall(CYCLE, holder=MINE)) == Blame(frame=MINE)
    assert blame(stall(None, label="GET /slow")) == Blame(frame=None)


def summary():
    made = StallSummary()
    for one in (
        stall(CYCLE, ms=90, label="GET /a", task="Task-1"),
        stall(CYCLE, ms=80, label="GET /a", task="Task-2"),
        stall(CYCLE, ms=70, label="GET /b", task="Task-3"),
        stall(LOOP, ms=60),
        stall(None, ms=50),
        stall(MINE, ms=10, label="GET /a"),
        stall(MINE, ms=20, label="GET /b"),
    ):
        made.add(StallEvent(stall=one, length_ns=one.duration_ns, at=0.0))
    return made


def test_users_lines_come_first_and_no_librarys_file_is_a_culprit():
    assert summed_up(summary()) == [
        "20.0 ms at worst, 30.0 ms in all, 2 stalls: /srv/app.py:49 in handler (cpu-python)",
        "90.0 ms at worst, 170 ms in all, 2 stalls: in the framework (uvicorn), GET /a (cpu-python)",
        "70.0 ms, 1 stall: in the framework (uvicorn), GET /b (cpu-python)",
        "60.0 ms, 1 stall: in the framework (asyncio) (cpu-python)",
        "50.0 ms, 1 stall: no culprit was seen (cpu-python)",
    ]


def test_single_stall_of_a_library_is_said_to_be_in_the_framework():
    seen = StallEvent(stall=stall(CYCLE), length_ns=10_000_000, at=0.0)
    assert in_a_line(seen) == "stall of 10.0 ms, cpu-python: in the framework, at uvicorn/h11_impl.py:4 in run_asgi"
    assert "  in the framework: uvicorn/h11_impl.py:4 in run_asgi" in described(seen).splitlines()
    assert "culprit" not in described(seen)


def test_name_of_a_library_is_cut_where_a_file_has_any_name():
    assert len(blamed(Blame(frame=None, library="x" * 10_000))) < 100
