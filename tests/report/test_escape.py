"""Text from outside, in every format and in what every command prints."""

import csv
from dataclasses import replace
import io
import json
import re

from helpers import ENVIRONMENT, MS, cell, failed, measured, plan, run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nasty import NASTY, annotations_alone, harmless, obeyed, read_back, unseen

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

TEXT = st.one_of(
    st.text(st.characters(), max_size=30),
    st.lists(st.sampled_from(["\n", "::", "error", "##[", "\x1b[", "]", "=", "|", "`", "<", '"', ",", " ", "\ud800"]))
    .map("".join),
)  # fmt: skip
NARROW = 40
"""Columns in which tables fold what they hold."""


def rendered(form, what):
    return formats.rendered(form, digest(what))


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
            where, other, processes=1, name=text, skipped=(Skipped(cell=cell(text, dispatch="async"), reason=text),)
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
