"""Two results on one page: its words, its dots, and in real headless Chromium."""

import re

from helpers import cell, failed, measured, run
from pages import HOSTILE, axe_violations, opened
import pytest

from loopstall.analysis.compare import compare, figures_of
from loopstall.report.page.compare_page import Compared, to_page

pytest.importorskip("scipy")

WALLS = (98, 99, 100, 100, 101, 103)


def side(factor=1.0, *, name="work", availability=1.0):
    runs = [
        run(
            cell(name),
            index=number,
            figures=measured(wall_ms=wall * factor, cpu_ms=wall / 2 * factor, stalls_ms=[3 * number]),
        )
        for number, wall in enumerate(WALLS)
    ]
    return figures_of(runs)


def compared(before, after, names=("before", "after"), notes=()):
    return Compared(names=names, sides=(before, after), comparisons=compare(before, after), notes=notes)


def test_change_is_told_before_and_after_in_one_sentence():
    html = to_page(compared(side(), side(1.5)))
    assert re.search(
        r"<b>time per job</b>: 10\.0 ms before, 15\.0 ms after: \+50\.0% \[\+4\d\.\d%, \+5\d\.\d%\], regressed\.", html
    )
    assert "Of 1 cell: 1 got worse." in html
    assert "▲ regressed" in html


def test_every_run_is_a_dot_on_either_side():
    html = to_page(compared(side(), side(1.5)))
    strips = html.count('<figure class="strip">')
    assert strips == 5  # three that are judged, p99 lag and the longest stall
    assert html.count('class="dot"') == strips * 2 * len(WALLS)
    assert html.count("not judged, for equal runs differ in it by a third and more.</figcaption>") == 2


def test_slower_side_lies_to_the_right():
    html = to_page(compared(side(), side(1.5)))
    before, after = (float(x) for x in re.findall(r'class="median" x1="([\d.]+)"', html)[:2])
    assert before < 200
    assert after > 400


def test_worst_cell_comes_first_and_what_one_side_lacks_is_said():
    before, after = (
        [*side(name="same"), *side(name="slow"), *side(name="gone")],
        [*side(name="same"), *side(2, name="slow")],
    )
    html = to_page(compared(before, after))
    names = re.findall(r'<section class="cell">\n<h2>(\w+) ·', html)
    assert names == ["slow", "same", "gone"]
    assert "Of 3 cells: 1 got worse, 1 did not change, 1 are gone." in html
    assert "not in head" in html


def test_failure_of_a_side_is_a_verdict_and_no_drawing():
    html = to_page(compared(side(), figures_of([failed(cell())])))
    assert "▲ failed" in html
    assert '<figure class="strip">' not in html


def test_runs_that_are_too_few_are_shown_and_not_judged():
    few = figures_of([run(cell(), index=number) for number in range(2)])
    html = to_page(compared(few, few))
    assert "an interval needs 4 on each side" in html
    assert html.count('class="dot"') == 5 * 2 * 2


def test_nothing_to_compare_is_said():
    assert "There is nothing to compare." in to_page(compared([], []))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_stays_text(text):
    html = to_page(compared(side(name=text), side(2, name=text), names=(text, text), notes=(text,)))
    for wrong in ("<script>window", "</script><b>", "\0", "\x1b", "\u202e"):
        assert wrong not in html


@pytest.mark.browser
@pytest.mark.once
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 2560])
def test_page_renders_without_errors_and_without_scrolling_sideways(browser, tmp_path, width, dark):
    long = "a_workload_with_a_rather_long_name_" * 4
    made = to_page(compared([*side(), *side(name=long)], [*side(1.5), *side(name=long)], notes=("Measured apart.",)))
    assert opened(browser, tmp_path, made, width=width, dark=dark) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert axe_violations(browser) == []
