"""The page in real headless Chromium."""

from helpers import cell, measured, plan, run
from pages import HOSTILE, axe_violations, gate_page, hostile_page, opened, page
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.once]


def matrix_page():
    cells = [
        cell(name, loop=loop, dispatch=dispatch)
        for name in ("blocking_sleep", "a_workload_with_a_rather_long_name")
        for loop in ("asyncio", "uvloop")
        for dispatch in ("inline", "async", "to_thread", "threads", "processes")
    ]
    runs = [run(where, figures=measured(stalls_ms=[60, 20], wall_ms=200)) for where in cells]
    return page(*runs, title="a result", plan=plan(*cells, processes=1))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200, 2560])
def test_page_renders_without_errors_and_without_scrolling_sideways(browser, tmp_path, width, dark):
    assert opened(browser, tmp_path, matrix_page(), width=width, dark=dark) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.querySelectorAll('.chart canvas').length") == 2
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in background[4:-1].split(",")) < 300) == dark


def errors(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def shown(browser):
    """The figures that the decision table shows, by their names."""
    script = """return [...document.querySelectorAll('.decision .v')]
        .filter((e) => getComputedStyle(e).display !== 'none').map((e) => e.dataset.m)"""
    return browser.execute_script(script)


def test_switching_the_figure_shows_another_one_of_every_cell(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    assert set(shown(browser)) == {"lag_p99"}
    assert len(shown(browser)) == 20
    for name in ("longest_stall", "throughput", "availability", "cpu_per_job", "peak_memory"):
        browser.execute_script(f"document.querySelector('input[value={name}]').click()")
        assert set(shown(browser)) == {name}


def test_finding_leads_to_the_timeline_of_its_cell_with_the_culprit(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    browser.execute_script("document.querySelector('#cell').selectedIndex = 7")
    link = "[...document.querySelectorAll('ol.findings a[data-cell]')].at(-1)"
    wanted = browser.execute_script(f"const a = {link}; a.click(); return a.dataset.cell")
    assert browser.execute_script("return document.querySelector('#cell').value") == wanted
    assert browser.execute_script("return location.hash") == "#timeline"
    assert "/app/user.py:7 in handler" in browser.execute_script("return document.querySelector('#told').innerText")
    assert errors(browser) == []


def test_hovering_and_stepping_tell_of_each_stall(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    told = "return document.querySelector('#told').innerText"
    assert "Stall 1 of 2: 60 ms" in browser.execute_script(told)
    browser.execute_script("document.querySelector('#next').click()")
    assert "Stall 2 of 2: 20 ms" in browser.execute_script(told)
    hover = """const over = document.querySelector('#line .u-over'), box = over.getBoundingClientRect();
        over.dispatchEvent(new MouseEvent('mouseenter', {clientX: box.left, clientY: box.top + 20}));
        over.dispatchEvent(new MouseEvent('mousemove', {bubbles: true, clientX: box.left + box.width * 0.02,
                                                        clientY: box.top + 20}));"""
    browser.execute_script(f"document.querySelector('#line').scrollIntoView(); {hover}")
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 100)")
    assert "Stall 1 of 2" in browser.execute_script(told)
    assert errors(browser) == []


def test_charts_have_tables_and_the_flame_graph_can_be_read(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    count = "return document.querySelectorAll('#{} tbody tr').length"
    assert browser.execute_script(count.format("line-table")) == 2
    assert browser.execute_script(count.format("curve-table")) > 2
    browser.execute_script("document.querySelector('.flame .culprit').click()")
    assert "/app/user.py:7" in browser.execute_script("return document.querySelector('#block').innerText")
    browser.execute_script("const s = document.querySelector('#kind'); s.value = 'service';"
                           "s.dispatchEvent(new Event('change'))")  # fmt: skip
    assert browser.execute_script("return document.querySelectorAll('#curve canvas').length") == 1
    assert errors(browser) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("made", [matrix_page, gate_page], ids=["matrix", "gate"])
def test_axe_finds_no_violation(browser, tmp_path, made, dark):
    opened(browser, tmp_path, made(), dark=dark)
    assert axe_violations(browser) == []


def test_everything_that_can_be_chosen_is_reached_by_the_keyboard(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    left_out = browser.execute_script("""return [...document.querySelectorAll('a[href], button, select, input, summary')]
        .filter((e) => e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 80))""")
    assert left_out == []
    unnamed = browser.execute_script("""return [...document.querySelectorAll('.chart')]
        .filter((e) => !e.getAttribute('aria-label')).length""")
    assert unnamed == 0


@pytest.mark.parametrize("width", [360, 1200])
def test_gate_page_shows_the_comparison(browser, tmp_path, width):
    assert opened(browser, tmp_path, gate_page(), width=width) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert "regressed" in browser.execute_script("return document.querySelector('#verdict').innerText")
    assert browser.execute_script("return document.querySelectorAll('.axis .dot').length") > 0
    assert browser.execute_script("return document.querySelectorAll('.spark circle').length") == 8


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_shows_as_text(browser, tmp_path, text):
    assert opened(browser, tmp_path, hostile_page(text), width=360) == []
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    if text.startswith("<script>"):
        headings = browser.execute_script("return [...document.querySelectorAll('tbody th')].map((e) => e.innerText)")
        assert any(heading.startswith(text) for heading in headings)
