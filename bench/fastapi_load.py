"""What ``loopstall watch`` costs a FastAPI service under uvicorn, and that it names the slow route.

    python -m pip install fastapi uvicorn uvloop
    python bench/fastapi_load.py [--pairs 60] [--loop asyncio --loop uvloop]

Two servers run at once, one of them under ``loopstall watch``, and another process asks them by turns in short bursts,
so that whatever else the machine does falls on both. The ratio is that of the requests a second in the two bursts of a
pair; its interval is that of the median by order statistics. With --null both servers run without it.
"""

import argparse
import contextlib
from pathlib import Path
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from loopstall.stats.median import median_estimate

APP = """
import time
from fastapi import FastAPI
app = FastAPI()

@app.get("/items/{number}")
async def item(number: int):
    return {"number": number, "name": "an item"}

@app.get("/slow")
async def slow():
    time.sleep(0.15)
    return {}
"""
CONNECTIONS, DEPTH = 4, 8
REQUEST = b"GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\n"


def main() -> None:
    """Measures what was asked for and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each burst")
    parser.add_argument("--loop", action="append", choices=["asyncio", "uvloop"])
    parser.add_argument("--null", action="store_true", help="compare a server with its like")
    parser.add_argument("--ask", metavar="PORT,SECONDS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        port, seconds = given.ask.split(",")
        print(ask(int(port), float(seconds)))
        return
    for loop in given.loop or ["asyncio", "uvloop"]:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            Path(folder, "app.py").write_text(APP, encoding="utf-8")
            plain = stack.enter_context(served(folder, loop, watched=False))
            watched = stack.enter_context(served(folder, loop, watched=not given.null))
            compare(loop, plain, watched, given)


def compare(loop: str, plain: int, watched: int, given: argparse.Namespace) -> None:
    """Asks both servers by turns and prints the ratio of their requests a second."""
    rng = random.Random(1)
    ratios, rates = [], []
    for number in range(given.pairs + 2):
        rate: dict[int, float] = {}
        for port in rng.sample([plain, watched], 2):
            command = [sys.executable, __file__, "--ask", f"{port},{given.seconds}"]
            rate[port] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if number >= 2:  # the first ones warm up
            ratios.append(rate[watched] / rate[plain])
            rates.append(rate[plain])
    middle = median_estimate(ratios)
    print(f"{loop}: {sorted(rates)[len(rates) // 2]:.0f} requests a second without; with: {middle.value:.4f} times"
          f" [{middle.low:.4f}, {middle.high:.4f}] over {len(ratios)} pairs", flush=True)  # fmt: skip


@contextlib.contextmanager
def served(folder: str, loop: str, *, watched: bool):
    """Runs the service and gives its port; under loopstall, says afterwards whether the slow route was named."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "uvicorn", "app:app", "--port", str(port), "--loop", loop, "--log-level", "warning"]
    own = ["-m", "loopstall", "watch"] if watched else []
    command = [sys.executable, *own, *words, "--no-access-log"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            until_up(port)
            yield port
            if watched:
                fetch(port, "/slow")
        finally:
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=60)
    if watched:
        named = re.search(r"stall of .*app\.py:\d+ in slow.*", said)
        print(f"  {named[0] if named else 'THE SLOW ROUTE WAS NOT NAMED: ' + said}")


def until_up(port: int) -> None:
    """Waits until a server answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            fetch(port, "/items/1")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def fetch(port: int, path: str) -> None:
    """Asks once."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:  # our own
        answer.read()


def ask(port: int, seconds: float) -> float:
    """Keeps a server busy over a few connections with several requests in flight each; returns requests a second."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(REQUEST * DEPTH)
    began, answered = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for connection in connections:
            received = b""
            while received.count(b"HTTP/1.1 200") < DEPTH or not received.endswith(b"}"):
                received += connection.recv(1 << 16)
            answered += DEPTH
            connection.sendall(REQUEST * DEPTH)
    taken = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return answered / taken


if __name__ == "__main__":
    main()
