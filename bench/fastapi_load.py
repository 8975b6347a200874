"""What ``loopstall watch`` and its live views cost a FastAPI service under uvicorn, and that the slow route is named.

    python -m pip install fastapi uvicorn uvloop
    python bench/fastapi_load.py [--pairs 60] [--loop asyncio --loop uvloop] [--view serve --view live]

Two servers run at once, one of them under ``loopstall watch``, and another process asks them by turns in short bursts,
so that whatever else the machine does falls on both. The ratios are those of the two bursts of a pair: in requests a
second, and in the server's CPU time a request, which is steadier. Intervals are those of the median by order
statistics. With --null both servers run without it.

With --view both are watched, and one has a live view: on a terminal of 120 columns and 40 lines, or a page that is
asked once a second. The CPU time a request counts that of the command and its helper as well as the server's.
"""

import argparse
from collections.abc import Callable, Iterator
import contextlib
import fcntl
import os
from pathlib import Path
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from typing import Any
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
LINES, COLUMNS = 40, 120
REQUEST = b"GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\n"


def main() -> None:
    """Measures what was asked for and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each burst")
    parser.add_argument("--loop", action="append", choices=["asyncio", "uvloop"])
    parser.add_argument("--null", action="store_true", help="compare a server with its like")
    parser.add_argument("--view", action="append", choices=["serve", "live"], help="what that adds to a watch")
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
        plain, watch = list[str](), ["watch"]
        compared = [(watch, [*watch, f"--{view}"]) for view in given.view or ()]
        for words in compared or [(plain, plain if given.null else watch)]:
            with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
                Path(folder, "app.py").write_text(APP, encoding="utf-8")
                sides = [stack.enter_context(served(folder, loop, side)) for side in words]
                compare(loop, words, sides, given)


def compare(
    loop: str, words: tuple[list[str], list[str]], sides: list[tuple[int, int]], given: argparse.Namespace
) -> None:
    """Asks both servers by turns and prints the ratios of their requests a second and of their CPU time a request.

    Args:
        loop: for the reader.
        words: what each runs under, for the reader.
        sides: port and process of each.
        given: the options.
    """
    first, second = (" ".join(side) or "nothing" for side in words)
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
    print(f"{loop}: {sorted(rates[0])[given.pairs // 2]:.0f} requests a second under {first}; under {second}:")
    for what, found in (("requests a second", rates), ("CPU time a request", costs)):
        middle = median_estimate([one / other for other, one in zip(*found, strict=True)])
        print(f"  {what}: {middle.value:.4f} times [{middle.low:.4f}, {middle.high:.4f}] over {given.pairs} pairs",
              flush=True)  # fmt: skip


def cpu_ns(process: int) -> int:
    """Returns the CPU time of a process, also that of threads that have ended, and of those that it has started."""
    own = time.clock_gettime_ns(~process << 3 | 2)  # as clock_getcpuclockid has it
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = (child for task in tasks for child in Path(task, "children").read_text(encoding="ascii").split())
    return own + sum(cpu_ns(int(child)) for child in children)


@contextlib.contextmanager
def served(folder: str, loop: str, under: list[str]) -> Iterator[tuple[int, int]]:
    """Runs the service and gives its port and process; under loopstall, says at last which slow route was named.

    Args:
        folder: with the service.
        loop: on which it runs.
        under: the words of loopstall's command; none for no watch.
    """
    port, page = free_port(), free_port()
    words = ["-m", "uvicorn", "app:app", "--port", str(port), "--loop", loop, "--log-level", "warning"]
    own = ["-m", "loopstall", *under, *([str(page)] if "--serve" in under else [])] if under else []
    command = [sys.executable, *own, *words, "--no-access-log"]
    with contextlib.ExitStack() as ends:
        options, said = on_terminal(ends) if "--live" in under else ({"stderr": subprocess.PIPE}, None)
        server = ends.enter_context(subprocess.Popen(command, cwd=folder, **options))
        try:
            until_up(port)
            if "--serve" in under:
                ends.callback(asked_each_second(page))
            yield port, server.pid
            for _ in range(3 if under else 0):  # on uvloop the first one after a second of rest may have no stack
                fetch(port, "/slow")
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=60)
    told = said() if said is not None else errors.decode()
    if under:
        named = re.search(r"[^\n]*stall[^\n]*app\.py:\d+ in slow.*", told)
        if not named:
            sys.exit(f"the slow route was not named; the service said: {told or 'nothing'}")
        print(f"  {named[0].strip()}")


def free_port() -> int:
    """Returns a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_terminal(ends: contextlib.ExitStack) -> tuple[dict[str, Any], Callable[[], str]]:
    """Returns what gives a command a terminal of its own on stderr, and what returns all that has come there.

    Args:
        ends: closes this process' end of what the command has.
    """
    terminal, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))
    came = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # nobody has it open any more
            while piece := os.read(terminal, 1 << 16):
                came.extend(piece)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def all_that_came() -> str:
        reader.join(60)
        os.close(terminal)
        return came.decode(errors="replace")

    ends.callback(os.close, theirs)
    options = {
        "stdout": subprocess.DEVNULL, "stderr": theirs, "start_new_session": True, "preexec_fn": takes_terminal,
        "env": {**os.environ, "TERM": "xterm-256color"},
    }  # fmt: skip
    return options, all_that_came


def takes_terminal() -> None:
    """Makes the terminal on stderr that of this process, so that it is in the foreground there."""
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)


def asked_each_second(port: int) -> Callable[[], None]:
    """Asks for the figures of a live page once a second, as it does itself; returns what ends that."""
    ended = threading.Event()

    def ask_on() -> None:
        while not ended.wait(1):
            with contextlib.suppress(OSError):
                fetch(port, "/live.json")

    thread = threading.Thread(target=ask_on, daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end


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
