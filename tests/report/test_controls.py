"""Sorting, filtering, copying and links of the page in real headless Chromium."""

from helpers import MS, cell, measured, plan, run
from pages import axe_violations, opened, page
import pytest

from loopstall.analysis.culprits import StallSummary
from loopstall.records import Frame, Stall, StallEvent
from loopstall.report.page.stall_page import to_page
from loopstall.report.stall_document import Session

pytestmark = [pytest.mark.browser, pytest.mark.once]

DISPATCHES = ("inline", "async", "to_thread", "threads", "processes")
LAGS = {"save": (9, 1, 2, 3, 4), "load": (1, 9, 2, 3, 4), "hash": (5, 5, 2, 3, 4)}  # ms, by dispatch


def matrix_page():
    """Three jobs under ten strategies; save is a trap inline, by its stall, and hash on threads, by its availability."""
    runs = []
    for name, lags in LAGS.items():
        for loop in ("asyncio", "uvloop"):
            for dispatch, lag in zip(DISPATCHES, lags, strict=True):
                frame = Frame(file=f"/app/{name}.py", line=7, function=name)
                stalls = {"save inline": [60, 90], "hash threads": [20] * 30}.get(f"{name} {dispatch}", [])
                where = cell(name, loop=loop, dispatch=dispatch, params=(("size", 4096),))
                runs.append(
                    run(where, figures=measured(stalls_ms=stalls, wall_ms=1000.0, lag_ms=lag, jobs=100, frame=frame))
                )
    return page(*runs, title="a result", plan=plan(*(one.cell for one in runs), processes=1))


def stall_page():
    summary = StallSummary()
    for number in range(5):
        frame = Frame(file=f"/srv/app_{number}.py", line=3, function="handler")
        stall = Stall(
            start_ns=0, duration_ns=(90 - number) * MS, cause="blocking-call", rule="a rule", culprit=frame,
            stack=(frame,), label=f"GET /items/{number}",
        )  # fmt: skip
        summary.add(StallEvent(stall=stall, length_ns=stall.duration_ns, at=1000.0, process="app 7"))
    return to_page(
        Session(title="loopstall watch app.py", summary=summary, watched_ns=10**9, began=1000.0, threshold_ns=20 * MS)
    )


def rows(browser):
    """The workloads of the rows that are shown, in their order."""
    return browser.execute_script("""return [...document.querySelectorAll('#table tbody tr')]
        .filter((row) => !row.hidden).map((row) => row.cells[0].firstChild.textContent.trim())""")


def heading(browser, column):
    return browser.execute_script(f"return document.querySelector('th[data-column=\"{column}\"]').ariaSort")


def click(browser, selector):
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def test_heading_sorts_by_its_column_up_and_down_and_back(browser, tmp_path):
    assert opened(browser, tmp_path, matrix_page()) == []
    came = rows(browser)
    assert came == ["save", "load", "hash"]
    for wanted, order in (
        (["load", "hash", "save"], "ascending"),
        (["save", "hash", "load"], "descending"),
        (came, "none"),
    ):
        click(browser, 'th[data-column="1"] button')
        assert (rows(browser), heading(browser, 1)) == (wanted, order)
    click(browser, 'th[data-column="0"] button')
    assert rows(browser) == ["hash", "load", "save"]


def test_rows_are_sorted_by_the_figure_that_is_shown(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    click(browser, "input[value=longest_stall]")
    for _ in range(2):
        click(browser, 'th[data-column="1"] button')
    assert rows(browser)[0] == "save"
    click(browser, 'th[data-column="2"] button')
    click(browser, "input[value=lag_p99]")
    assert rows(browser)[-1] == "load"


def test_filter_leaves_rows_traps_and_loops(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    typed = "const f = document.querySelector('#filter'); f.value = arguments[0]; f.dispatchEvent(new Event('input'))"
    browser.execute_script(typed, "SAVE size=4096")
    assert rows(browser) == ["save"]
    assert browser.execute_script("return document.querySelector('#rows').textContent") == "1 of 3 rows"
    browser.execute_script(typed, "")
    click(browser, "#over")
    assert rows(browser) == ["save", "hash"]
    chosen = "const l = document.querySelector('#loop'); l.value = 'uvloop'; l.dispatchEvent(new Event('change'))"
    browser.execute_script(chosen)
    shown = browser.execute_script("""return [...document.querySelectorAll('#table thead [data-column]')]
        .filter((head) => !head.hidden).length""")
    assert shown == 1 + len(DISPATCHES)


def test_copy_buttons_copy_what_stands_beside_them(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    browser.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    browser.execute_cdp_cmd("Page.bringToFront", {})
    copied = """const [selector, done] = arguments, button = document.querySelector(selector);
        button.click();
        const wait = () => button.textContent === 'Copied' ? navigator.clipboard.readText().then(done) : setTimeout(wait, 20);
        wait()"""
    command = browser.execute_async_script(copied, "#card-1 p.check + .copied button")
    assert command.startswith("loopstall run /somewhere/save.py -p size=4096 -s ")
    assert command == browser.execute_script(
        "return document.querySelector('#card-1 p.check + .copied code').textContent"
    )
    row = browser.execute_async_script(copied, "#table tbody tr:nth-child(2) .copy")
    assert row.startswith("loopstall run /somewhere/load.py -p size=4096 -s asyncio/inline -s asyncio/async")
    unnamed = "return [...document.querySelectorAll('button.copy')].filter((b) => !b.getAttribute('aria-label')).length"
    assert browser.execute_script(unnamed) == 0


@pytest.mark.parametrize("made", [matrix_page, stall_page])
def test_finding_leads_to_its_stacks_unfolded_and_back(browser, tmp_path, made):
    opened(browser, tmp_path, made())
    click(browser, '#card-1 a[href^="#stacks-"]')
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    at = browser.execute_script("return location.hash.slice(1)")
    assert browser.execute_script("return document.getElementById(arguments[0]).querySelector('details').open", at)
    click(browser, f"#{at} a[href='#card-1']")
    assert browser.execute_script("return location.hash") == "#card-1"


def test_link_to_a_folded_finding_unfolds_it(browser, tmp_path):
    opened(browser, tmp_path, stall_page())
    assert not browser.execute_script("return document.querySelector('details.more').open")
    click(browser, "a.to[href='#card-5']")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert browser.execute_script("return document.querySelector('details.more').open")


def test_timeline_begins_at_the_line_of_the_finding(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    click(browser, "#card-1 a[data-cell]")
    place = browser.execute_script("return document.querySelector('#card-1 a[data-cell]').dataset.place")
    assert place == "/app/save.py:7 in save"
    assert place in browser.execute_script("return document.querySelector('#told').innerText")


def test_every_column_is_in_sight_at_1300_px_and_the_first_stays_on_a_phone(browser, tmp_path):
    outside = """const box = document.querySelector('#table').parentElement.getBoundingClientRect();
        return [...document.querySelectorAll('#table td, #table th')]
            .filter((cell) => cell.getBoundingClientRect().right > box.right + 1).length"""
    opened(browser, tmp_path, matrix_page(), width=1300)
    assert browser.execute_script(outside) == 0
    opened(browser, tmp_path, matrix_page(), width=360)
    assert browser.execute_script(outside) > 0
    moved = browser.execute_script("""const box = document.querySelector('#table').parentElement;
        box.scrollLeft = 300;
        return document.querySelector('#table tbody th').getBoundingClientRect().left - box.getBoundingClientRect().left""")
    assert 0 <= moved < 3


@pytest.mark.parametrize("made", [matrix_page, stall_page])
def test_findings_of_traps_are_whole_on_the_first_screen(browser, tmp_path, made):
    opened(browser, tmp_path, made(), width=1300)
    tops = browser.execute_script("""return [1, 2, 3].map((number) => document.getElementById(`card-${number}`))
        .filter((card) => card?.querySelector('.at')).map((card) => card.getBoundingClientRect().bottom)""")
    assert len(tops) >= 2
    assert max(tops) <= 900


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("made", [matrix_page, stall_page])
def test_axe_finds_no_violation_with_everything_unfolded(browser, tmp_path, made, dark):
    opened(browser, tmp_path, made(), dark=dark, width=1300)
    assert axe_violations(browser) == []
