import json
import re

from helpers import cell, failed, measured, plan, run
from pages import HOSTILE, gate_page, hostile_page, page
import pytest

from loopstall.records import Frame, Skipped
from loopstall.report.text import place, printable, verdict


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_stays_text(text):
    html = hostile_page(text)
    assert "<script>window" not in html
    assert "</script><b>" not in html
    assert "\0" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert html.count("</script>") == 3  # the page's own, the data of its charts and of its flame graph


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_of_a_gate_and_a_history_stays_text(text):
    html = gate_page(text)
    for wrong in ("<script>window", "</script><b>", "\0", "\x1b", "\u202e"):
        assert wrong not in html


def test_page_holds_everything_and_asks_for_nothing():
    html = page(run(figures=measured(stalls_ms=[60])))
    assert "default-src 'none'" in html
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert "uPlot" in html


def test_page_shows_figures_trap_culprit_and_environment():
    html = page(run(figures=measured(stalls_ms=[60])), plan=plan(processes=1))
    for text in ("▲&nbsp;stall", "100/s", "60.0 ms", "/app/user.py:7 in handler", "CPython 3.11.7", "a CPU"):
        assert text in html, text


def test_empty_cell_says_why():
    left_out = Skipped(cell=cell(dispatch="async"), reason="the workload has no async version")
    assert "n/a: the workload has no async version" in page(run(), plan=plan(skipped=(left_out,)))


def test_partial_result_says_so():
    assert "1 of 2 runs" in page(run(), plan=plan(processes=2))
    assert "partial" not in page(run(), plan=plan(processes=1))


def test_result_of_failures_alone_is_a_page():
    html = page(failed(message="a job raised ValueError: no"))
    assert "a job raised ValueError: no" in html
    assert "1 cell failed" in html


def test_charts_hold_each_cell():
    html = page(run(cell("a")), run(cell("b", dispatch="threads")))
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert set(data["rows"]) == {"a", "b"}
    assert len(data["timelines"]) == 2


def test_control_characters_are_shown_as_escapes():
    assert printable("a\x1b[31mb\u202ec\nd") == "a\\x1b[31mb\\u202ec\\nd"


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/home/ann/.venv/lib/python3.13/site-packages/pkg/mod.py", "pkg/mod.py"),
        ("/usr/lib/python3.11/asyncio/runners.py", "asyncio/runners.py"),
        ("/srv/app.py", "/srv/app.py"),
    ],
)
def test_place_of_a_frame_is_written_as_short_as_it_is_clear(file, short):
    assert place(Frame(file=file, line=3, function="f")) == f"{short}:3 in f"


def test_place_within_the_working_directory_is_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert place(Frame(file=str(tmp_path / "app" / "main.py"), line=3, function="f")) == "app/main.py:3 in f"


def test_verdict_of_nothing_is_not_a_pass():
    assert verdict([]) == "Nothing was measured."
