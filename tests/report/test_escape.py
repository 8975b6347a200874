"""Text from outside, in every format and in what every command prints."""

import csv
from dataclasses import replace
import io
import json
import os
import re
from xml.etree import ElementTree as ET

from helpers import ENVIRONMENT, MS, cell, failed, loopstall, measured, plan, run, write_workloads
from hypothesis import example, given, settings
from hypothesis import strategies as st
import pytest

from loopstall.advice.words import told
from loopstall.analysis.content import Content, digest
from loopstall.analysis.culprits import StallSummary
from loopstall.records import Advice, Change, Estimate, Frame, Profile, Reading, Skipped, StallEvent, Trend, Verdict
from loopstall.records.encoding import encode
from loopstall.report import formats
from loopstall.report.escape import csv_row, github_command, json_text, markdown_text, paragraph, printable, tamed
from loopstall.report.formats import FORMATS, stalls_rendered
from loopstall.report.page.html import trends_to_html
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import described, in_a_line, summed_up
from loopstall.report.trend import sentences, to_csv, to_otava, to_text
from loopstall.results import store

NASTY = "a\n::error::pwned\r\x1b[2J##[error]x \u202e\"'`|<b></script>\x9b31m\0=1+1"
TEXT = st.one_of(
    st.text(st.characters(), max_size=30),
    st.lists(st.sampled_from(["\n", "::", "error", "##[", "\x1b[", "]", "=", "|", "`", "<", '"', ",", " ", "\ud800"]))
    .map("".join),
)  # fmt: skip
NARROW = 40
"""Columns in which tables fold what they hold."""


def rendered(form, what):
    return formats.rendered(form, digest(what))


def unseen(text):
    """What of a text is a control character, an escape sequence or a mark that turns text around, but for newlines."""
    return {char for char in text if not char.isprintable() and char != "\n"}


def obeyed(text):
    """The lines that a CI server takes for its commands, by the rules of GitHub's runner and of Azure Pipelines."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)]


def harmless(text):
    assert unseen(text) == set()
    assert obeyed(text) == []
    return text


def every_text(text):
    """A content in which a text stands wherever one can come from outside."""
    frame = Frame(file=text, line=7, function=text)
    where = cell(text, params=(("p", text),), path=text)
    other = cell("other", params=(("p", text), ("q", 1)), path=text)
    stalls = tuple(
        replace(stall, cause=text, rule=text, task=text, coroutine=text, label=text, holder=frame, holder_thread=text)
        for stall in measured(stalls_ms=[60], frame=frame).stalls
    )
    made = run(where, figures=replace(measured(stalls_ms=[60], frame=frame), stalls=stalls, faults=(text,)))
    machine = replace(
        ENVIRONMENT, python=text, implementation=text, loop=text, platform=text, kernel=text, cpu=text, governor=text,
        packages=((text, text),), commit=text, host=text,
    )  # fmt: skip
    return Content(
        title=text,
        runs=[replace(made, environment=machine), failed(other, kind=text, message=text, detail=text)],
        plan=plan(
            where, other, processes=1, name=text, skipped=(Skipped(cell=cell(text, dispatch="native"), reason=text),)
        ),
        warnings=[text],
    )


def a_verdict(text):
    return Verdict(
        row=text, strategy=text, verdict="regressed", rule=text, kind="stall", amount=60e6,
        culprit=Frame(file=text, line=1, function=text), stack=(Frame(file=text, line=1, function=text),),
    )  # fmt: skip


def a_trend(text):
    readings = tuple(
        Reading(
            row=text, strategy=text, load=text, metric="time_per_job", value=value, low=value, high=value, runs=5,
            measured_at=text, commit=text, committed_at=text, machine=text,
        )
        for value in (1e6, 2e6)
    )  # fmt: skip
    return Trend(
        row=text, strategy=text, load=text, machine=text, metric="time_per_job", readings=readings,
        changes=(Change(at=1, before=1e6, after=2e6),),
    )  # fmt: skip


def a_sighting(text):
    (run_of_it, _) = every_text(text).runs
    (stall,) = run_of_it.measured.stalls
    return StallEvent(stall=stall, length_ns=60 * MS, at=0.0, process=text, thread=text, over=True, test=text)


def a_session(text):
    summary = StallSummary()
    summary.add(a_sighting(text))
    return Session(title=text, summary=summary, watched_ns=MS, began=0.0, threshold_ns=MS, about=(text,))


def read_back(form, made):
    """Reads a format as those do for whom it is."""
    if form == "junit":
        ET.fromstring(made)  # noqa: S314  # our own
    elif form in {"json", "speedscope", "trace", "pyperf"}:
        json.loads(made)
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(made)))
        assert len({len(row) for row in rows}) == 1
        assert not any(re.match(r"\s*[=@]", field) for row in rows for field in row)
        assert not any(re.match(r"\s*[+-]\D", field) for row in rows for field in row)


def annotations_alone(made, count):
    lines = made.splitlines()
    assert len(lines) == count
    assert all(re.match(r"::(error|warning) (file=[^,:]*,)?(line=\d+,)?title=[^,:]*::", line) for line in lines)
    assert unseen(made) == set()


@given(TEXT)
@example(NASTY)
@example("::error::x")
@example(" \t::error::x")
def test_text_is_one_harmless_line_and_escaping_it_twice_changes_nothing(text):
    line = harmless(printable(text))
    assert "\n" not in line
    assert printable(line) == line
    assert printable("plain, 12 µs, a::b, #1") == "plain, 12 µs, a::b, #1"


@given(TEXT)
@example("a\n  ::error::b")
def test_lines_of_a_paragraph_stay_lines(text):
    assert harmless(paragraph(text)).count("\n") == text.count("\n")


@given(TEXT)
@example(NASTY)
@example("##[a")
@example(r"\##vso[a")
def test_json_text_is_the_same_json(text):
    made = json_text(json.dumps({"a": text}, ensure_ascii=False, indent=1))
    assert json.loads(harmless(made)) == {"a": text}


@given(TEXT)
def test_records_with_any_text_can_be_written(text):
    made = json.loads(encode({"a": [text, (text,)]}))
    assert made["a"][0] == text.encode("utf-8", "backslashreplace").decode()


@given(TEXT, st.floats(allow_nan=False))
@example("=1+1", 1.0)
@example("-2+3|cmd", -1.5)
def test_csv_keeps_numbers_and_makes_text_of_formulas(text, number):
    (row,) = csv.reader(io.StringIO(csv_row(text, number, "+10.5%")))
    assert not re.match(r"\s*([=@]|[+-]\D)", row[0])
    assert (float(row[1]), row[2]) == (number, "+10.5%")


@given(TEXT)
@example(NASTY)
def test_markdown_text_opens_no_table_cell_code_or_tag(text):
    assert not re.search(r"(?<!\\)(\\\\)*[|`<>\[]", harmless(markdown_text(text)))


@given(TEXT)
@example(NASTY)
@example("%0A::error::x")
def test_annotation_is_one_command_whatever_it_says(tmp_path_factory, text):
    made = github_command("error", text, file=text or "f", line=1, title=text, root=tmp_path_factory.getbasetemp())
    annotations_alone(made + "\n", 1)


@settings(deadline=None, max_examples=60)
@given(TEXT)
@example(NASTY)
@example("::error::x")
def test_no_text_breaks_a_format_or_gives_an_order(text):
    for form in FORMATS:
        made = rendered(form, every_text(text))
        if form == "github":
            annotations_alone(made, 2)
        elif form == "html":  # its script and style are our own, and no log
            assert unseen(made) == set()
        else:
            harmless(made)
        read_back(form, made)


@settings(deadline=None, max_examples=60)
@given(TEXT)
@example(NASTY)
@example("::error::x")
def test_no_text_breaks_a_gates_format_or_gives_an_order(text):
    judged = replace(every_text(text), verdicts=(a_verdict(text), replace(a_verdict(text), accepted=text or "x")))
    for form in ("terminal", "markdown", "junit", "json"):
        read_back(form, harmless(rendered(form, judged)))
    annotations_alone(rendered("github", judged), 1)


@settings(deadline=None, max_examples=60)
@given(TEXT)
@example(NASTY)
@example("::error::x")
def test_no_text_breaks_a_report_of_stalls(text):
    session = a_session(text)
    for form in ("json", "junit", "speedscope"):
        read_back(form, harmless(stalls_rendered(form, session)))
    assert unseen(stalls_rendered("html", session)) == set()
    seen = a_sighting(text)
    for line in (in_a_line(seen), described(seen), *summed_up(session.summary)):
        harmless(f"loopstall: {line}")


@settings(deadline=None, max_examples=60)
@given(TEXT)
@example(NASTY)
@example("::error::x")
def test_no_text_breaks_figures_over_commits(text):
    trends = [a_trend(text)]
    for made in (to_text(trends), to_csv(trends), *sentences(trends), *to_otava(trends[0].readings).values()):
        harmless(made)
    read_back("csv", to_csv(trends))
    assert unseen(trends_to_html(trends, title=text)) == set()


@settings(deadline=None)
@given(TEXT)
@example(NASTY)
def test_no_text_in_advice_gives_an_order(text):
    one = Estimate(value=1.0, low=1.0, high=1.0, confidence=0.9, runs=3)
    advice = Advice(
        target=text, profile=Profile(duration=one, calls=3, first_ns=1, cpu_share=1.0, process_cpu_ns=1, gil_share=1.0, unpicklable=text,
        sent_bytes=1, returned_bytes=1, pickling_ns=1, memory_bytes=1), load=text, ways=(), choice="inline",
        reason=text or "a", break_even=text, caveats=(text,), code=text,
    )  # fmt: skip
    harmless(told(advice))


@given(st.text("ab: ", max_size=100).map(lambda text: f"{text} ::error::x ##[error]y"))
def test_what_a_table_folds_to_the_start_of_a_line_is_no_command(text):
    from loopstall.report.output import console

    out = io.StringIO()
    console(out, width=NARROW).print(text)
    assert obeyed(out.getvalue()) == []
    assert tamed("  ::error::x") == r"  \x3a:error::x"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """A measured result whose parameter, file name, task and exception say what they should not."""
    folder = tmp_path_factory.mktemp("nasty")
    body = f"""
NASTY = {NASTY!r}

@workload(params={{"text": [NASTY]}})
def loud(seed, *, text):
    time.sleep(0.06)
    return seed
loud.verify(ok)

@workload(params={{"text": [NASTY]}})
def raises(seed, *, text):
    raise ValueError(text)
raises.verify(ok)
"""
    write_workloads(folder, body, "mine\n::error::x.py")
    words = ("-s", "asyncio", "-s", "native", "--jobs", 2, "--concurrency", 1, "--processes", 1, "-o", "out")
    done = loopstall("run", "mine\n::error::x.py", *words, cwd=folder)
    assert done.returncode == 3, done.stderr  # one of them raises
    harmless(done.stdout)
    harmless(done.stderr)
    assert "loud" in done.stdout
    return folder


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", ["30", "150"])
def test_command_line_prints_a_nasty_result_harmlessly(nasty, form, columns):
    if form == "pyperf":
        pytest.importorskip("pyperf", reason="pyperf is an extra")
    done = loopstall("report", "out", "--format", form, "-o", "-", cwd=nasty, env={**os.environ, "COLUMNS": columns})
    assert done.returncode == 0, done.stderr
    harmless(done.stderr)
    if form == "github":
        annotations_alone(done.stdout, 2)
    elif form == "html":
        assert unseen(done.stdout) == set()
        assert "</script><" not in done.stdout.partition('id="data">')[2].partition("</script>")[0]
    else:
        harmless(done.stdout)
    read_back(form, done.stdout)


def test_every_other_command_prints_a_nasty_result_harmlessly(nasty):
    for words, status in (
        (("list", "mine\n::error::x.py"), 0),
        (("compare", "out", "out"), 3),
        (("gate", "--against", "out", "--candidate-results", "out"), 3),
        (("gate", "--against", "out", "--candidate-results", "out", "--format", "markdown"), 3),
        (("history", "add", "out", "--commit", NASTY.replace("\0", ""), "--file", "h\n::error::.sqlite"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite", "--format", "csv"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite", "--format", "otava", "-o", "otava"), 0),
        (("report", "out", "--history", "h\n::error::.sqlite", "--format", "terminal"), 0),
        (("report", "none\n::error::x"), 2),
        (("run", "nothing\n::error::x"), 2),
        (("run", "hashing", "-p", "a\n::error::b"), 2),
        (("run", "--rate", "a\n::error::b"), 2),
        (("nothing\n::error::x",), 2),
        (("watch", "nothing\n::error::x.py"), 2),
        (("advise", "nothing\n::error::x"), 2),
        (("accept", "out", "--reason", "x"), 2),
        (("serve-bench", "nothing\n::error::x"), 2),
    ):
        done = loopstall(*words, cwd=nasty)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        assert "unexpected" not in done.stderr
        harmless(done.stdout)
        harmless(done.stderr)


def test_watch_tells_a_nasty_task_harmlessly(tmp_path):
    name = "mine\n::error::x.py"
    (tmp_path / name).write_text(
        "import asyncio, time\n"
        "async def block():\n"
        "    time.sleep(0.1)\n"
        "async def main():\n"
        f"    await asyncio.create_task(block(), name={NASTY!r})\n"
        "asyncio.run(main())\n"
    )
    for more in ((), ("--stacks",)):
        done = loopstall("watch", *more, "-o", "out.junit", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "1 stall" in done.stderr
        harmless(done.stderr)
        ET.fromstring(harmless((tmp_path / "out.junit").read_text()))  # noqa: S314  # our own


def test_pytest_plugin_tells_a_nasty_task_harmlessly(tmp_path):
    import subprocess
    import sys

    (tmp_path / "test_it.py").write_text(
        "import asyncio, time\n"
        "async def block():\n"
        "    time.sleep(0.1)\n"
        "async def main():\n"
        f"    await asyncio.create_task(block(), name={NASTY!r})\n"
        "def test_it():\n"
        "    asyncio.run(main())\n"
    )
    words = ("-p", "no:cacheprovider", "--stall-budget", "20ms", "--stall-report", "s.json")
    done = subprocess.run([sys.executable, "-m", "pytest", *words, "test_it.py"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "culprit" in done.stdout
    harmless(done.stdout)
    harmless((tmp_path / "s.json").read_text())


def test_what_was_measured_of_nasty_text_is_read_back(nasty):
    found = store.load([nasty / "out"])
    assert {dict(one.cell.params)["text"] for one in found.runs} == {NASTY}
