"""``loopstall report`` opens every file that loopstall writes, and says what a file is that it cannot open."""

import json
import sys

from helpers import failed, loopstall
import pytest

from loopstall.analysis.culprits import StallSummary
from loopstall.records import Advice, Estimate, Evidence, Frame, Profile, Stall, StallEvent, Verdict, to_plain
from loopstall.report.stall_document import Session, stalls_to_json
from loopstall.results import store
from loopstall.results.advice_file import to_json

pytestmark = pytest.mark.once

MS = 1_000_000
FORMATS = {
    "html": "<h1>pytest tests</h1>",
    "markdown": "| 90.0 ms | 120 ms | 2 | cpu-python | /srv/app.py:7 in handler |",
    "terminal": "90.0 ms at worst, 120 ms in all, 2 stalls: /srv/app.py:7 in handler (cpu-python)",
    "junit": '<testcase classname="event-loop stalls" name="/srv/app.py:7 in handler">',
    "github": "::warning file=/srv/app.py,line=7,title=an event loop was blocked::90.0 ms at worst",
    "csv": ",90000000,cpu-python,/srv/app.py,7,handler,",
    "speedscope": '"name": "handler", "file": "/srv/app.py", "line": 7',
    "json": '"kind": "stalls"',
}


def stalls():
    evidence = Evidence(duration_ns=MS, threshold_ns=5 * MS, window_ns=MS, own_cpu_ns=MS, other_cpu_ns=0)
    frame = Frame(file="/srv/app.py", line=7, function="handler")
    for at, length in ((100.0, 90), (101.0, 30)):
        stall = Stall(
            start_ns=0, duration_ns=length * MS, cause="cpu-python", culprit=frame, stack=(frame,), label="GET /login",
            evidence=evidence,
        )  # fmt: skip
        yield StallEvent(stall=stall, length_ns=length * MS, at=at, process="app.py 12")


def session():
    summary = StallSummary()
    for seen in stalls():
        summary.add(seen)
    return Session(
        title="pytest tests", summary=summary, watched_ns=4000 * MS, began=99.0, threshold_ns=5 * MS, about=("Note.",)
    )


@pytest.fixture
def here(tmp_path):
    """A folder with each kind of file that loopstall writes and report reads."""
    (tmp_path / "s.json").write_text(stalls_to_json(session()))
    (tmp_path / "s.jsonl").write_text("".join(f"{json.dumps(to_plain(seen))}\n" for seen in stalls()))
    verdicts = (Verdict(row="hashing", strategy="asyncio/inline", verdict="regressed", rule="is slower by 20%"),)
    (tmp_path / "verdict.json").write_text(store.verdicts_text(verdicts))
    profile = Profile(
        calls=3, first_ns=MS, duration=Estimate(value=MS, low=MS, high=MS, confidence=0.9, runs=3), cpu_share=1.0,
        process_cpu_ns=MS, gil_share=1.0, sent_bytes=1, returned_bytes=1, pickling_ns=1, memory_bytes=1,
    )  # fmt: skip
    advice = Advice(target="shop:total", load="4/s", profile=profile, ways=(), choice="processes", reason="it is best")
    (tmp_path / "advice.json").write_text(to_json(advice))
    return tmp_path


@pytest.mark.parametrize("form", FORMATS)
def test_stalls_of_watch_or_pytest_are_opened_in_every_format(here, form):
    done = loopstall("report", "s.json", "--format", form, "-o", "-", cwd=here)
    assert done.returncode == 0, done.stderr
    assert FORMATS[form] in done.stdout


def test_json_that_is_read_and_written_again_is_the_same(here):
    done = loopstall("report", "s.json", "--format", "json", cwd=here)
    assert done.stdout == (here / "s.json").read_text()


def test_json_lines_are_opened_and_a_line_that_was_cut_off_is_said(here):
    with (here / "s.jsonl").open("a") as file:
        file.write('{"stall": {"start_ns"')
    done = loopstall("report", "s.jsonl", "--format", "terminal", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "2 stalls, 120 ms of 1.03 s, the longest 90.0 ms" in done.stdout
    assert "The last line was not written to its end and is left out." in done.stdout


def test_line_that_is_no_stall_is_named(here):
    (here / "s.jsonl").write_text('{"a": 1}\n' + (here / "s.jsonl").read_text())
    done = loopstall("report", "s.jsonl", cwd=here)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "s.jsonl, line 1, is not a stall" in done.stderr


def test_json_lines_without_a_stall_show_nothing(here):
    (here / "s.jsonl").write_text("")
    done = loopstall("report", "s.jsonl", cwd=here)
    assert done.returncode == 5
    assert "holds no stall" in done.stderr


@pytest.mark.parametrize(
    ("file", "form", "text"),
    [
        ("verdict.json", "terminal", "regressed: hashing · asyncio/inline"),
        ("verdict.json", "html", "is slower by 20%"),
        ("verdict.json", "junit", 'message="is slower by 20%"'),
        ("advice.json", "terminal", "Recommended: processes, for shop:total. It is best."),
        ("advice.json", "markdown", "### Recommended: processes, for shop:total. It is best."),
        ("advice.json", "html", '<p class="verdict">Recommended: processes, for shop:total. It is best.</p>'),
        ("advice.json", "json", '"kind": "advice"'),
    ],
)
def test_verdicts_and_advice_are_opened(here, file, form, text):
    done = loopstall("report", file, "--format", form, "-o", "-", cwd=here)
    assert done.returncode == 0, done.stderr
    assert text in done.stdout


def test_page_is_written_beside_the_file_and_over_no_page_of_somebody_else(here):
    done = loopstall("report", "s.json", cwd=here)
    assert (done.returncode, done.stdout) == (0, "s.html\n"), done.stderr
    assert loopstall("report", "s.json", cwd=here).returncode == 0  # over its own
    (here / "s.html").write_text("<html>mine")
    done = loopstall("report", "s.json", cwd=here)
    assert done.returncode == 2
    assert "s.html is there already and not a page of loopstall's" in done.stderr
    assert (here / "s.html").read_text() == "<html>mine"


def test_file_inside_a_results_folder_opens_the_folder(here):
    store.Store(here / "out").begin(_plan())
    store.Store(here / "out").save(failed())
    done = loopstall("report", "out/plan.json", "--format", "terminal", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "1 cell failed" in done.stdout


def _plan():
    from helpers import cell, plan

    return plan(cell())


ELSEWHERE = {
    "page.html": ("<!doctype html><html>", "is a page already"),
    "x.xml": ('<?xml version="1.0"?><testsuites/>', "is JUnit XML"),
    "p.speedscope.json": ('{"profiles": []}', "https://www.speedscope.app opens it"),
    "t.json": ('{"traceEvents": []}', "https://ui.perfetto.dev opens it"),
    "b.json": ('{"benchmarks": []}', "which `loopstall compare` reads"),
    "r.json": ('{"format": "loopstall", "kind": "report", "version": 1}', "is damaged"),
    "h.sqlite": ("SQLite format 3\0", "loopstall history show --file h.sqlite"),
    "dump.json": (
        '{"pid": 1, "command": "", "python": "", "threads": 1}',
        "let `loopstall dump --json` write it again",
    ),
    "metrics.txt": ("# HELP loopstall_stalls_total Stalls\n", "which Prometheus scrapes"),
    "app.py": ("import asyncio\n", "is text and no JSON"),
    "binary": ("\1\0\2", "is not whole JSON"),
    "other.json": ('{"a": 1}', "is not a file of loopstall's; report reads results folders"),
    "list.json": ("[1]", "is not a file of loopstall's; report reads results folders"),
    "cut.json": ('{"format": "loopstall", "kind": "sta', "is not whole JSON"),
    "empty.json": ("", "is empty"),
    "damaged.json": ('{"format": "loopstall", "kind": "stalls", "version": 1}', "is damaged"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_report_cannot_open_is_said_in_a_sentence_with_what_to_give(tmp_path, name):
    content, said = ELSEWHERE[name]
    (tmp_path / name).write_text(content)
    done = loopstall("report", name, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr


def test_stalls_of_a_newer_version_ask_for_an_upgrade(here):
    (here / "s.json").write_text((here / "s.json").read_text().replace('"version": 1', '"version": 99'))
    done = loopstall("report", "s.json", cwd=here)
    assert done.returncode == 2
    assert "upgrade loopstall" in done.stderr


def test_stalls_are_reported_alone(here):
    done = loopstall("report", "s.json", "s.jsonl", cwd=here)
    assert done.returncode == 2
    assert "give it alone" in done.stderr


def test_open_shows_the_page_in_the_browser(here, monkeypatch):
    (here / "browser.py").write_text("import pathlib, sys; pathlib.Path('shown').write_text(sys.argv[1])")
    monkeypatch.setenv("BROWSER", f"{sys.executable} {here / 'browser.py'} %s")
    assert loopstall("report", "s.json", "--open", cwd=here).returncode == 0
    assert (here / "shown").read_text() == (here / "s.html").as_uri()


def test_open_without_a_page_says_so(here):
    done = loopstall("report", "s.json", "--format", "csv", "--open", cwd=here)
    assert done.returncode == 0
    assert "--open has nothing to open: no page was written" in done.stderr
