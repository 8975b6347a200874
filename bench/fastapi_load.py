"""What ``loopstall watch`` costs a FastAPI service under uvicorn, and that it names the slow route.

    python -m pip install fastapi uvicorn uvloop
    python bench/fastapi_load.py [--pairs 60] [--loop asyncio --loop uvloop]

Two servers run at once, one of them under ``loopstall watch``, and another process asks them by turns in short bursts,
so that whatever else the machine does falls on both. The ratios are those of the two bursts of a pair: in requests a
second, and in the server's CPU time a request, which is steadier. Intervals are those of the median by order
statistics. With --null both servers run without it.
"""

import argparse
from collections.abc import Iterator
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

from loopstall.loops import LOOPS
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
        if reason := LOOPS[loop].missing():
            print(f"{loop}: skipped, {reason}")
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            Path(folder, "app.py").write_text(APP, encoding="utf-8")
            sides = [stack.enter_context(served(folder, loop, watched=False)),
                     stack.enter_context(served(folder, loop, watched=not given.null))]  # fmt: skip
            compare(loop, sides, given)


def compare(loop: str, sides: list[tuple[int, int]], given: argparse.Namespace) -> None:
    """Asks both servers by turns and prints the ratios of their requests a second and of their CPU time a request.

    Args:
        loop: for the reader.
        sides: port and process of the plain one, then of the watched one.
        given: the options.
    """
    rng = random.Random(1)
    rates: list[list[float]] = [[], []]
    costs: list[list[float]] = [[], []]
    for number in range(given.pairs + 2):
        for side in rng.sample([0, 1], 2):
            port, process = sides[side]
            before = cpu_ns(process)
            command = [sys.executable, __file__, "--ask", f"{port},{given.seconds}"]
            rate = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if number >= 2:  # the first ones warm up
                rates[side].append(rate)
                costs[side].append((cpu_ns(process) - before) / (rate * given.seconds))
    print(f"{loop}: {sorted(rates[0])[given.pairs // 2]:.0f} requests a second without; with:")
    for what, found in (("requests a second", rates), ("CPU time a request", costs)):
        middle = median_estimate([one / other for other, one in zip(*found, strict=True)])
        print(f"  {what}: {middle.value:.4f} times [{middle.low:.4f}, {middle.high:.4f}] over {given.pairs} pairs",
              flush=True)  # fmt: skip


def cpu_ns(process: int) -> int:
    """Returns the CPU time of all threads that live, of a process and of those that it has started."""
    tasks = list(Path(f"/proc/{process}/task").iterdir())
    own = sum(int(Path(task, "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks)
    children = (child for task in tasks for child in Path(task, "children").read_text(encoding="ascii").split())
    return own + sum(cpu_ns(int(child)) for child in children)


@contextlib.contextmanager
def served(folder: str, loop: str, *, watched: bool) -> Iterator[tuple[int, int]]:
    """Runs the service and gives its port and process; under loopstall, says at last which slow route was named."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "uvicorn", "app:app", "--port", str(port), "--loop", loop, "--log-level", "warning"]
    own = ["-m", "loopstall", "watch"] if watched else []
    command = [sys.executable, *own, *words, "--no-access-log"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            until_up(port)
            yield port, server.pid
            for _ in range(3 * watched):  # on uvloop the first one after a second of rest may come without a stack
                fetch(port, "/slow")
        finally:
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=60)
    if watched:
        named = re.search(r"stall of .*app\.py:\d+ in slow.*", said)
        if not named:
            sys.exit(f"the slow route was not named; the service said: {said or 'nothing'}")
        print(f"  {named[0]}")


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
