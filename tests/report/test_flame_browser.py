"""The flame graph and the stalls by culprit in real headless Chromium."""

from pages import axe_violations, opened
import pytest
from stacks import shop_events

from loopstall.analysis.culprits import StallSummary
from loopstall.report.page.stall_page import to_page
from loopstall.report.stall_document import Session

pytestmark = [pytest.mark.browser, pytest.mark.once]


def shop_page():
    summary = StallSummary()
    for seen in shop_events():
        summary.add(seen)
    return to_page(Session(title="watch", summary=summary, watched_ns=10**9, began=1000.0, threshold_ns=5_000_000))


def texts(browser, selector="#flame button"):
    return browser.execute_script(f"return [...document.querySelectorAll('{selector}')].map((e) => e.textContent)")


def set_value(browser, identifier, value, event):
    script = """const e = document.getElementById(arguments[0]);
        if (e.type === 'checkbox') e.checked = arguments[1]; else e.value = arguments[1];
        e.dispatchEvent(new Event(arguments[2], {bubbles: true}));"""
    browser.execute_script(script, identifier, value, event)


def click(browser, text):
    found = "[...document.querySelectorAll('#flame button')].find((e) => e.textContent === arguments[0])"
    browser.execute_script(f"{found}.click()", text)


@pytest.fixture
def shown(browser, tmp_path):
    assert opened(browser, tmp_path, shop_page()) == []
    return browser


def test_libraries_are_folded_until_the_switch_shows_each_of_their_frames(shown):
    assert texts(shown).count("starlette") == 3
    assert texts(shown, "#flame .culprit") == ["checkout", "total"]
    set_value(shown, "flame-all", True, "change")
    assert "starlette" not in texts(shown)
    assert texts(shown).count("Layer0.__call__") == 4  # the user's line is beneath fifty of them, and still there
    assert texts(shown, "#flame .culprit") == ["checkout", "total"]


def test_zoom_makes_a_block_the_whole_width_and_escape_takes_it_back(shown):
    click(shown, "GET /prices")
    assert "checkout" not in texts(shown)
    width = "return [...document.querySelectorAll('#flame button')].find((e) => e.textContent === 'GET /prices').style.width"
    assert shown.execute_script(width) == "100%"
    assert "GET /prices: 30.0 ms, 30.0% of the stalled time" in shown.execute_script("return block.textContent")
    assert shown.execute_script("return document.activeElement.textContent") == "GET /prices"
    shown.execute_script(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))"
    )
    assert "checkout" in texts(shown)
    assert shown.execute_script("return document.getElementById('flame-reset').disabled")


def test_search_marks_what_fits_and_says_how_much_of_the_time_that_is(shown):
    set_value(shown, "flame-search", "prices.py", "input")
    assert texts(shown, "#flame .hit") == ["total"]
    assert (
        shown.execute_script("return document.getElementById('flame-found').textContent")
        == "found in 30.0% of the stalled time"
    )
    set_value(shown, "flame-search", "LAYER49", "input")  # folded frames are found too
    assert set(texts(shown, "#flame .hit")) == {"starlette"}
    set_value(shown, "flame-search", "", "input")
    assert texts(shown, "#flame .hit") == []


def test_inverted_view_begins_at_the_innermost_frame(shown):
    set_value(shown, "flame-inverted", True, "change")
    tops = """return [...document.querySelectorAll('#flame button')]
        .filter((e) => e.style.top === '1.5rem').map((e) => e.textContent)"""
    assert shown.execute_script(tops) == ["checkout", "Decimal.quantize", "starlette", "total"]


def test_nothing_of_the_page_scrolls_sideways_and_axe_finds_no_violation(browser, tmp_path):
    for width in (360, 2560):
        assert opened(browser, tmp_path, shop_page(), width=width) == []
        set_value(browser, "flame-all", True, "change")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert axe_violations(browser) == []


def test_framework_has_a_row_of_its_own_after_the_users_lines(shown):
    rows = "return [...document.querySelectorAll('[aria-label=\"Stalls by culprit\"] summary')].map((e) => e.innerText)"
    assert shown.execute_script(rows) == [
        "/srv/shop/app.py:49 in checkout",
        "/srv/shop/prices.py:31 in total",
        "in the framework (starlette), GET /list",
    ]
