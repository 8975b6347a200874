"""The page of a live view in real headless Chromium, with the server that it asks."""

import asyncio
from dataclasses import replace
import re
import time

from helpers import measured
from pages import HOSTILE, axe_violations
import pytest

from loopstall.instrument.live.board import Board
from loopstall.instrument.live.guard import Address
from loopstall.instrument.live.server import LiveServer
from loopstall.records import Frame, StallEvent

pytestmark = [pytest.mark.browser, pytest.mark.once]

MS = 1_000_000
FRAME = Frame(file=__file__, line=1, function="handler")


def event(length_ms, *, at=None, cause="blocking-call", frame=FRAME, label="GET /slow", process="prog.py 7"):
    stall = measured(stalls_ms=(length_ms,), frame=frame).stalls[0]
    stall = replace(stall, cause=cause, label=label, task="Task-1")
    began = time.time() - length_ms / 1000 if at is None else at
    return StallEvent(stall=stall, length_ns=length_ms * MS, at=began, process=process, thread="MainThread")


@pytest.fixture
def board():
    return Board(title="loopstall watch prog.py", threshold_ns=20 * MS)


@pytest.fixture(params=["127.0.0.1"])
def server(board, request):
    made = LiveServer(Address(host=request.param, port=0), board)
    yield made
    made.close()


def opened(browser, url, *, width=1300, dark=False):
    """Opens the page and waits for its first figures."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    browser.get_log("browser")
    browser.get(url)
    assert shows(browser, "#meta", "Watched for")


def read(browser, element):
    return browser.execute_script(f"return document.querySelector('{element}').innerText")


def shows(browser, element, text, limit=60):
    """Waits until an element has a text."""
    deadline = time.monotonic() + limit
    while text not in read(browser, element) and time.monotonic() < deadline:
        time.sleep(0.1)
    return text in read(browser, element)


def wrong(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1300])
def test_page_shows_lag_and_stalls_without_scrolling_sideways(browser, board, server, width, dark):
    for length in (30, 204, 60):
        board.stall(event(length))
    board.hang(event(1200, process="a worker with a rather long name of its own 8", label="GET /hangs"))
    opened(browser, server.url, width=width, dark=dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert "3 stalls over 20 ms, 204 ms at worst" in read(browser, "#meta")
    assert re.match(r"Blocked for \d\.\d\d s by now", read(browser, "#verdict"))
    assert "handler" in read(browser, "#blocked")
    assert '"""The page of a live view' in read(browser, "#culprits")
    assert browser.execute_script("return document.querySelectorAll('#loops svg rect').length") >= 1
    assert axe_violations(browser) == []
    assert wrong(browser) == []


def test_page_follows_what_happens(browser, board, server):
    opened(browser, server.url)
    assert "No event loop has been seen so far" in read(browser, "#blocked")
    began = time.time()
    board.hang(event(300, at=began - 0.3))
    assert shows(browser, "#verdict", "Blocked for")
    board.stall(event(2000, at=began - 0.3))
    assert shows(browser, "#verdict", "Nothing is blocked now. 1 stall so far")
    assert "GET /slow" in read(browser, "#latest")


def test_stalls_of_libraries_are_theirs_on_the_page_too(browser, board, server):
    for file in (asyncio.__file__, pytest.__file__):
        board.stall(event(100, frame=Frame(file=file, line=1, function="theirs")))
    opened(browser, server.url)
    assert "in the framework (pytest), GET /slow" in read(browser, "#culprits")
    assert "in the framework, at pytest/__init__.py:1 in theirs" in read(browser, "#latest")
    assert "no culprit was seen" not in read(browser, "main")


def test_page_says_when_the_watch_has_ended(browser, board):
    made = LiveServer(Address(host="127.0.0.1", port=0), board)
    opened(browser, made.url)
    made.close()
    assert shows(browser, "#verdict", "The watch has ended, or cannot be reached")
    assert "the last answer" in read(browser, "#gone")
    assert browser.title == "no answer · loopstall watch prog.py"


@pytest.mark.parametrize("server", ["0.0.0.0"], indirect=True)  # noqa: S104  # as a user asks for it
def test_token_opens_the_page_and_leaves_the_address(browser, server):
    url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  # from this machine
    browser.get(url.partition("?")[0])
    assert "token" in read(browser, "body")
    opened(browser, url)
    assert "token" not in browser.current_url


def test_text_from_outside_stays_text(browser, board, server):
    for number, text in enumerate(HOSTILE):
        frame = Frame(file=text, line=number, function=text)
        board.stall(event(100, cause=text, frame=frame, label=text, process=text))
        board.hang(event(100, cause=text, frame=frame, label=text, process=f"{text} {number}"))
        board.note(text)
    opened(browser, server.url)
    assert browser.execute_script("return window.hacked === undefined")
    assert browser.execute_script("return document.querySelectorAll('main script, main b:not(.now b)').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1300
    assert wrong(browser) == []
