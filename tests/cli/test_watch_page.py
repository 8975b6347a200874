"""The first screen of what ``loopstall watch -o`` writes, of a real service under load."""

from concurrent.futures import ThreadPoolExecutor
import html
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytestmark = [pytest.mark.alone, pytest.mark.once]

APP = """\
import hashlib, threading, time
from fastapi import FastAPI

app = FastAPI()
ledger = threading.Lock()

def archive():
    while True:
        with ledger:
            time.sleep(0.2)
        time.sleep(0.02)

threading.Thread(target=archive, daemon=True).start()

@app.get("/mail/{user}")
async def mail(user: str):
    time.sleep(0.15)
    return user

def fingerprint(text):
    value = text.encode()
    for _ in range(200_000):
        value = hashlib.sha256(value).digest()
    return value.hex()

@app.get("/login/{user}")
async def login(user: str):
    return {"user": user, "key": fingerprint(user)}

@app.get("/book/{user}")
async def book(user: str):
    with ledger:
        return user
"""
ROUTES = ("mail", "login", "book")


def line_of(text):
    return APP.splitlines().index(text) + 1


def loaded(port):
    """Asks for each route six times, three at a time."""

    def ask(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
            return answer.status

    deadline = time.monotonic() + 60
    while True:
        try:
            ask("openapi.json")
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with ThreadPoolExecutor(3) as clients:
        paths = [f"{route}/{number}" for number in range(6) for route in ROUTES]
        assert set(clients.map(ask, paths)) == {200}


def cards_of(page):
    """The first screen's cards as text, without what is folded."""
    first = re.search(r'<ol class="findings">(.*?)</ol>', page, re.DOTALL)[1]
    return [
        " ".join(html.unescape(re.sub(r"<[^>]+>", " ", card)).split())
        for card in re.split(r'<li class="card', first)[1:]
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="causes are known on Linux alone")
def test_first_screen_names_the_three_traps_of_a_service_with_route_line_and_fix(tmp_path):
    pytest.importorskip("uvicorn")
    pytest.importorskip("fastapi")
    (tmp_path / "app.py").write_text(APP)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        sys.executable,
        "-m",
        "loopstall",
        "watch",
        "-o",
        "stalls.html",
        "-m",
        "uvicorn",
        "app:app",
        "--port",
        str(port),
    ]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            loaded(port)
        finally:
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=60)
    cards = cards_of((tmp_path / "stalls.html").read_text(encoding="utf-8"))
    assert len(cards) == 3, said
    by_route = {route: next((card for card in cards if f"GET /{route}/{{user}}" in card), said) for route in ROUTES}
    assert f"app.py:{line_of('    time.sleep(0.15)')} in mail" in by_route["mail"]
    assert "await asyncio.sleep(0.15)" in by_route["mail"]
    assert f"app.py:{line_of('        value = hashlib.sha256(value).digest()')} in fingerprint" in by_route["login"]
    assert "run_in_executor(pool, fingerprint, user)" in by_route["login"]
    assert f"app.py:{line_of('    with ledger:')} in book" in by_route["book"]
    assert "await asyncio.to_thread(ledger.acquire)" in by_route["book"]
    for card in cards:
        assert "high confidence" in card or "medium confidence" in card
        assert f"loopstall watch --fail-over 20ms -m uvicorn app:app --port {port}" in card
