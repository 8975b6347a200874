"""The page of a session's stalls: its words, and in real headless Chromium."""

from dataclasses import replace
import json
from pathlib import Path
from xml.etree import ElementTree as ET

from pages import HOSTILE, axe_violations, opened
import pytest

from loopstall.analysis.culprits import StallSummary
from loopstall.errors import InputError
from loopstall.records import Evidence, Frame, StackSample, Stall, StallEvent, StallPart, stall_event_from, to_plain
from loopstall.report.formats import STALL_FORMATS, stall_format_of, stalls_rendered
from loopstall.report.page.stall_page import to_page
from loopstall.report.stall_document import Session

FRAME = Frame(file="/srv/app.py", line=12, function="login")
OTHER = Frame(file="/srv/other.py", line=3, function="export")


def stall_event(length_ms=80, frame=FRAME, **extra):
    stall = Stall(
        start_ns=5, duration_ns=int(length_ms * 1e6), cause=extra.pop("cause", "blocking-call"), rule="a rule",
        culprit=frame, stack=(frame, OTHER) if frame else (), task=extra.pop("task", "Task-1"),
        glimpses=(StackSample(at_ns=5, culprit=frame),), label=extra.pop("label", ""),
    )  # fmt: skip
    return StallEvent(stall=stall, length_ns=stall.duration_ns, at=1000.5, **{"process": "app 7", **extra})


def session(*seen, **extra):
    summary = StallSummary()
    for one in seen:
        summary.add(one)
    return Session(
        title="watch app.py", summary=summary, watched_ns=2 * 10**9, began=1000.0, threshold_ns=20_000_000, **extra
    )


def rich():
    many = [stall_event(20 + number, cause=cause, process=f"worker-{number % 3} {number % 3}") for number, cause in enumerate(
        ["blocking-call", "cpu-python", "cpu-native", "gil-wait", "gc", "descheduled", "unknown"] * 8)]  # fmt: skip
    return session(*many, stall_event(400, OTHER, over=True, test="tests/test_a.py::test_it[1]"), stall_event(30, None))


def test_account_counts_all_and_keeps_the_longest():
    summary = StallSummary(kept=3)
    for length in (10, 50, 20, 40, 30):
        summary.add(stall_event(length))
    summary.add(stall_event(90, cause="descheduled"))
    assert summary.count == 6
    assert [one.length_ns / 1e6 for one in summary.longest] == [90, 50, 40]
    assert summary.longest_ns == 50e6  # the machine's own does not count
    (culprit,) = summary.culprits
    assert (culprit.count, culprit.longest_ns, culprit.cause) == (6, 90e6, "blocking-call")


def test_table_of_stalls_says_how_much_was_a_wait_for_a_cpu():
    evidence = Evidence(
        duration_ns=80_000_000, threshold_ns=5_000_000, window_ns=80_000_000, own_cpu_ns=0, other_cpu_ns=0,
        run_delay_ns=30_000_000,
    )  # fmt: skip
    waited = replace(stall_event(), stall=replace(stall_event().stall, evidence=evidence))
    assert "30.0 ms of it without a CPU" in to_page(session(waited))
    assert "without a CPU" not in to_page(session(stall_event()))


def test_culprit_names_the_other_callbacks_of_its_turn():
    parts = (
        StallPart(culprit=FRAME, share=0.6),
        StallPart(culprit=OTHER, share=0.314, task="Task-5", label="GET /slow"),
    )
    turn = replace(stall_event(), stall=replace(stall_event().stall, parts=parts))
    page = to_page(session(turn))
    told = "Also in this turn, for 31% of the time: <code>/srv/other.py:3 in export</code>, task Task-5, GET /slow."
    assert page.count("Also in this turn") == 1
    assert told in page


@pytest.mark.parametrize(
    "seen", [stall_event(), stall_event(frame=None), replace(stall_event(), over=True, test="a::b")]
)
def test_sighting_goes_to_json_and_back(seen):
    assert stall_event_from(json.loads(json.dumps(to_plain(seen)))) == seen


@pytest.mark.parametrize("broken", [{}, {"stall": {}}, {"stall": {"stack": 5}}, {"stall": None}])
def test_what_is_no_sighting_is_refused(broken):
    with pytest.raises((KeyError, TypeError, InputError)):
        stall_event_from(broken)


def test_form_is_that_of_the_name():
    assert {stall_format_of(Path(f"out{end}")) for end in STALL_FORMATS} == {"html", "json", "junit", "speedscope"}
    assert stall_format_of(Path("a.b/OUT.SPEEDSCOPE.JSON")) == "speedscope"
    with pytest.raises(InputError, match=r"\.html"):
        stall_format_of(Path("out.txt"))


@pytest.mark.parametrize("form", sorted(set(STALL_FORMATS.values())))
def test_every_form_renders_nothing_and_much(form):
    for made in (session(), rich()):
        text = stalls_rendered(form, made)
        if form in {"json", "speedscope"}:
            json.loads(text)
        elif form == "junit":
            suite = ET.fromstring(text).find("testsuite")  # noqa: S314  # our own
            assert int(suite.get("tests")) == len(suite.findall("testcase"))
            assert int(suite.get("failures")) == len(list(suite.iter("failure"))) == made.summary.over


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_stays_text_in_every_form(text):
    frame = Frame(file=text, line=1, function=text)
    made = session(stall_event(frame=frame, task=text, label=text, process=text, over=True, test=text))
    made = replace(made, title=text, about=(text,))
    for form in set(STALL_FORMATS.values()):
        written = stalls_rendered(form, made)
        if form == "junit":
            ET.fromstring(written)  # noqa: S314  # our own
        assert "\0" not in written
        assert "\x1b" not in written
        if form == "html":
            assert "<script>window" not in written


@pytest.mark.browser
@pytest.mark.once
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200, 2560])
def test_page_renders_without_errors_and_without_scrolling_sideways(browser, tmp_path, width, dark):
    assert opened(browser, tmp_path, to_page(rich()), width=width, dark=dark) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.querySelectorAll('.lane rect').length") == 58
    head = browser.execute_script("return document.querySelector('.lane-head').innerText")
    assert head.split("\n") == ["worker-0 0", "19 stalls, 74.0 ms at worst, 893 ms drawn in all"]
    ticks = browser.execute_script(
        "return [...document.querySelectorAll('.ticks-text span')].map((e) => e.textContent)"
    )
    assert (ticks[0], ticks[-1]) == ("00:16:40.000", "00:16:42.000")


@pytest.mark.browser
@pytest.mark.once
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("made", [session, rich])
def test_axe_finds_no_violation(browser, tmp_path, made, dark):
    opened(browser, tmp_path, to_page(made()), dark=dark)
    assert axe_violations(browser) == []
