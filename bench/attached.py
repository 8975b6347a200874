"""What is seen of a process that runs already: ``loopstall dump`` and ``watch --pid`` beside other tools.

Four measurements, each with known truth (``--only`` chooses):

- ``stuck``: programs whose loop never comes back, on asyncio and uvloop: does one dump name the line?
- ``slow``: services with five traps under load, uvicorn on both loops and gunicorn: how many of the stalls are told,
  with which line and cause? A profiler knows no stalls; of it, whether the lines are in its recording.
- ``often``: a service that is attached to 200 times, each watch ended by a signal, SIGKILL among them: is each stall
  told, and does the service grow?
- ``cost``: an echo server with a client, with and without the tool by turns: the server's CPU time a request and the
  client's time for a request, as ratios with their intervals.

    python -m pip install uvicorn uvloop gunicorn uvicorn-worker py-spy perpetuo
    python bench/attached.py

Python 3.15 and later bring Tachyon, ``profiling.sampling``. What is not installed is left out, and that is said.
"""

import argparse
from collections.abc import Iterator, Sequence
import contextlib
import importlib.util
import json
from pathlib import Path
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "attaching"))

from often import often  # its folder is no package
from programs import PACKAGES, SERVERS, ask, running, serving
import service
import tools

from loopstall.stats.median import median_estimate

LEAST_S = 0.02
_PARTS = ("stuck", "slow", "often", "cost")
CAUSES = {
    "sleeps": "blocking-call", "computes": "cpu-python", "matches": "cpu-native", "waits": "blocking-call",
    "hog": "gil-wait",
}  # fmt: skip
ECHO = """
import asyncio
async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def culprits(kind: str) -> set[int]:
    """Returns the lines of the service that may be blamed for a kind."""
    lines = Path(service.__file__).read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith(f"# culprit {kind}")}


def stuck(chosen: Sequence[tools.Tool]) -> None:
    """Prints whether a dump names the line in which a program is stuck."""
    print("\nstuck programs: is the line named by one dump, what is said of its thread, how long it took")
    for loop in service.LOOPS:
        if importlib.util.find_spec(loop) is None:
            print(f"  {loop}: skipped, it is not installed")
            continue
        for kind in service.KINDS:
            with running([sys.executable, "service.py", kind, loop]) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(0.5)
                for tool in chosen:
                    if tool.dump:
                        print(f"  {loop:8} {kind:9} {tool.name:10} {_dumped(tool, process.pid, culprits(kind))}")


def _dumped(tool: tools.Tool, pid: int, lines: set[int]) -> str:
    begun = time.perf_counter()
    done = subprocess.run(tool.command(tool.dump, pid=pid), capture_output=True, text=True, timeout=60, check=False)
    took = time.perf_counter() - begun
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1:]}"
    named = "yes" if tools.places(done.stdout) & lines else "no"
    return f"{named:3}  {took:.2f} s  {tools.said_of(done.stdout, lines)}"


def slow(chosen: Sequence[tools.Tool], names: Sequence[str], seconds: float) -> None:
    """Prints what each tool says of the stalls of services."""
    print(f"\nslow services, {seconds:g} s of load: stalls of {LEAST_S * 1000:g} ms and more")
    for name in names:
        gone = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
        if gone:
            print(f"  {name}: skipped, {', '.join(gone)} is not installed")
            continue
        for tool in chosen:
            if tool.record:
                with serving(name) as (port, pid), tempfile.TemporaryDirectory() as folder:
                    for line in _recorded(tool, port, pid, seconds, Path(folder, "out")):
                        print(f"  {name:19} {tool.name:10} {line}")


def _recorded(tool: tools.Tool, port: int, pid: int, seconds: float, out: Path) -> Iterator[str]:
    """Has a tool look while all kinds of requests come, and yields what it saw."""
    command = tool.command(tool.record, pid=pid, seconds=round(seconds), out=out)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.0)  # until it looks
        while process.poll() is None:
            for kind in service.KINDS:
                ask(port, f"/{kind}")
                time.sleep(0.06)
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode:
        yield f"failed: {said.strip().splitlines()[-1:]}"
        return
    truth = [(kind, at, took) for kind, at, took in ask(port, "/log") if took >= LEAST_S]
    if tool.name == "loopstall":
        yield from _judged(truth, json.loads(out.with_suffix(".json").read_text(encoding="utf-8")))
        return
    raw = out.with_suffix(".raw").read_text(encoding="utf-8")
    for kind in service.KINDS:
        hits, of = tools.profiled(raw, culprits(kind))
        yield f"{kind:9} {'in' if hits else 'not in'} its recording ({hits} of {of} samples); tells no stalls"


def _judged(truth: Sequence[tuple[str, float, float]], report: dict[str, Any]) -> Iterator[str]:
    """Yields how right a report is: of the stalls that were injected while it looked."""
    begin, end = report["began"] + 0.3, report["began"] + report["watched_ns"] / 1e9 - 0.3
    whole = {"found": [0, 0], "line": [0, 0], "cause": [0, 0]}
    for kind in service.KINDS:
        mine = {"found": [0, 0], "line": [0, 0], "cause": [0, 0]}
        for _, at, took in (one for one in truth if one[0] == kind and begin < one[1] < end):
            seen = _seen(report, at, took)
            blamed = (seen["stall"]["holder" if kind == "hog" else "culprit"] or {}) if seen else {}
            line = blamed.get("line") in culprits(kind)
            for figure, right, counts in (
                ("found", seen is not None, True), ("line", line, seen is not None),
                ("cause", seen is not None and seen["stall"]["cause"] == CAUSES[kind], seen is not None),
            ):  # fmt: skip
                for sums in (mine, whole):
                    sums[figure][0] += right
                    sums[figure][1] += counts
        yield f"{kind:9} {_told(mine)}"
    yield f"{'all':9} {_told(whole)}"


def _seen(report: dict[str, Any], at: float, took: float) -> dict[str, Any] | None:
    """Returns the stall that overlaps most of a time."""

    def overlap(event: dict[str, Any]) -> float:
        return float(min(at + took, event["at"] + event["length_ns"] / 1e9) - max(at, event["at"]))

    best = max(report["stalls"], key=overlap, default=None)
    return best if best is not None and overlap(best) > took / 2 else None


def _told(sums: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {right} of {of}" for name, (right, of) in sums.items())


def cost(chosen: Sequence[tools.Tool], pairs: int) -> None:
    """Prints what a tool that looks costs the process that it looks at."""
    print(f"\ncost, {pairs} pairs: with the tool to without: the server's CPU time a request, a request's time")
    for tool in chosen:
        if tool.record:
            ratios = _ratios(tool, pairs)
            cells = (median_estimate([pair[n] for pair in ratios]) for n in (0, 1))
            print(f"  {tool.name:10}", *(f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in cells))


def _ratios(tool: tools.Tool, pairs: int) -> list[tuple[float, float]]:
    """Returns both ratios of each pair; which half has the tool comes first by turns."""
    found = []
    with running([sys.executable, "-c", ECHO]) as process, tempfile.TemporaryDirectory() as folder:
        assert process.stdout is not None
        address = ("127.0.0.1", int(process.stdout.readline()))
        with socket.create_connection(address) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _burst(client, process.pid)
            for number in range(pairs):
                halves = {}
                for attached in sorted((True, False), reverse=number % 2 == 0):
                    command = tool.command(tool.record, pid=process.pid, seconds=3, out=Path(folder, "out"))
                    with _looking(command) if attached else contextlib.nullcontext():
                        halves[attached] = _burst(client, process.pid)
                found.append((halves[True][0] / halves[False][0], halves[True][1] / halves[False][1]))
    return found


@contextlib.contextmanager
def _looking(command: Sequence[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(1.0)  # until it looks
        yield
        if process.poll() is not None:
            raise SystemExit(f"{command[0]} ended before the burst did, with {process.returncode}")
        process.send_signal(signal.SIGINT)


def _burst(client: socket.socket, pid: int, seconds: float = 1.0) -> tuple[float, float]:
    """Makes requests one after the other; returns the server's CPU time a request, and the median time of one."""
    took, before, end = [], _used_s(pid), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        client.sendall(b"x" * 50)
        client.recv(100)
        took.append(time.perf_counter() - begun)
    return (_used_s(pid) - before) / len(took), statistics.median(took)


def _used_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=_PARTS, action="append", help="this; more than once")
    parser.add_argument("--tool", choices=[tool.name for tool in tools.TOOLS], action="append")
    parser.add_argument(
        "--server", choices=list(SERVERS), action="append", help="for slow and often: this; more than once"
    )
    parser.add_argument("--seconds", type=float, default=20, help="of load on each service")
    parser.add_argument("--times", type=int, default=200, help="that a service is attached to")
    parser.add_argument("--pairs", type=int, default=15, help="of bursts for a cost")
    options = parser.parse_args()
    chosen = []
    print(f"Python {sys.version.split()[0]}")
    for tool in tools.TOOLS:
        if options.tool and tool.name not in options.tool:
            continue
        if why := tool.missing() or tools.NEEDS.get(tool.name, ""):
            print(f"{tool.name}: skipped, {why}")
        else:
            print(f"{tool.name} {tool.version()}")
            chosen.append(tool)
    parts = options.only or _PARTS
    if "stuck" in parts:
        stuck(chosen)
    if "slow" in parts:
        slow(chosen, options.server or list(SERVERS), options.seconds)
    if "often" in parts:
        print(f"\nattached {options.times} times")
        for name in options.server or ["uvicorn on asyncio"]:
            for line in often(name, options.times):
                print(f"  {name:19} {line}")
    if "cost" in parts:
        cost(chosen, options.pairs)


if __name__ == "__main__":
    main()
