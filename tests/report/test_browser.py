"""The page in real headless Chromium."""

from helpers import cell, measured, plan, run
from pages import HOSTILE, hostile_page
import pytest

from loopstall.gate.policy import Budget
from loopstall.report.html import to_html

pytestmark = pytest.mark.browser


def opened(browser, folder, html, *, width=1200, dark=False):
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    browser.get_log("browser")
    browser.get(path.as_uri())
    return [entry for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def matrix_page():
    cells = [
        cell(name, loop=loop, dispatch=dispatch)
        for name in ("blocking_sleep", "a_workload_with_a_rather_long_name")
        for loop in ("asyncio", "uvloop")
        for dispatch in ("inline", "native", "to_thread", "threads", "processes")
    ]
    runs = [run(where, figures=measured(stalls_ms=[60, 20], wall_ms=200)) for where in cells]
    return to_html(runs, title="a result", plan=plan(*cells, processes=1), budget=Budget())


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200, 2560])
def test_page_renders_without_errors_and_without_scrolling_sideways(browser, tmp_path, width, dark):
    assert opened(browser, tmp_path, matrix_page(), width=width, dark=dark) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.querySelectorAll('.chart canvas').length") == 2
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in background[4:-1].split(",")) < 300) == dark


def test_choosing_a_cell_draws_its_timeline(browser, tmp_path):
    opened(browser, tmp_path, matrix_page())
    choose = "const s = document.getElementById('cell'); s.selectedIndex = 3; s.dispatchEvent(new Event('change'));"
    browser.execute_script(choose)
    assert browser.execute_script("return document.querySelectorAll('#line canvas').length") == 1
    browser.execute_script("document.getElementById('kind').value = 'response';"
                           "document.getElementById('kind').dispatchEvent(new Event('change'))")  # fmt: skip
    assert browser.execute_script("return document.querySelectorAll('#curve canvas').length") == 1
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_shows_as_text(browser, tmp_path, text):
    assert opened(browser, tmp_path, hostile_page(text), width=360) == []
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    if text.startswith("<script>"):
        headings = browser.execute_script("return [...document.querySelectorAll('tbody th')].map((e) => e.innerText)")
        assert any(heading.startswith(text) for heading in headings)
