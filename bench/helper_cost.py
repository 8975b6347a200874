"""What the helper process costs: its start, its memory, and its CPU while the loop is healthy and while it stalls.

Each fresh process watches one loop. A figure is the median over the processes with its interval; those of the loop that
stalls are for stalls of one length, one right after the other, which is the most that there can be. Run it with:
python bench/helper_cost.py
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
import json
from pathlib import Path
import subprocess
import sys
import time

from loopstall import watch
from loopstall.monitor.outside.link import Link, link
from loopstall.stats.median import median_estimate

_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h
_SETTLES_S = 0.3
_PAUSE_S = 0.01


def cpu_s(pid: int) -> float:
    """Returns what a process has computed so far."""
    return time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)


def compute(seconds: float) -> None:
    """Computes for so long."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def answer_s(helper: Link) -> float:
    """Returns how long it takes from now on until the helper has answered."""
    begun = time.perf_counter()
    while not helper.answered and not helper.fault():
        time.sleep(0.0005)
    return time.perf_counter() - begun


def memory_mb(pid: int) -> float:
    """Returns how much memory of a process is in use, also what it shares with others, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) * 1024 / 1e6


async def share(pid: int, seconds: float, turn: Callable[[], Awaitable[object]]) -> float:
    """Returns how much of a core the helper computes while the loop makes turns of one kind, in %."""
    await turn()
    await asyncio.sleep(_SETTLES_S)
    begun, before = time.perf_counter(), cpu_s(pid)
    while time.perf_counter() < begun + seconds:
        await turn()
    return 100 * (cpu_s(pid) - before) / (time.perf_counter() - begun)


async def figures(seconds: float, lengths: list[float]) -> dict[str, float]:
    """Returns the figures of this process, by their labels."""
    begun = time.perf_counter()
    with watch():
        begins_s = time.perf_counter() - begun
        answers_s = answer_s(link())
        pid = link().pid
        found = {
            "the watch begins within, ms": begins_s * 1e3,
            "the helper looks after, ms": (begins_s + answers_s) * 1e3,
        }

        async def idle() -> None:
            await asyncio.sleep(_PAUSE_S)

        def turns_of(length_s: float) -> Callable[[], Awaitable[object]]:
            async def turn() -> None:
                compute(length_s)
                await asyncio.sleep(0)

            return turn

        found["loop that waits, % of a core"] = await share(pid, seconds, idle)
        found["turns of 0.5 ms, % of a core"] = await share(pid, seconds, turns_of(0.0005))
        for length in lengths:
            found[f"stalls of {length:g} ms, % of a core"] = await share(pid, seconds, turns_of(length / 1e3))
        found["memory, MB"] = memory_mb(pid)
    return found


def main() -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9, help="fresh processes")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind of loop")
    parser.add_argument("--length", type=float, action="append", metavar="MS", help="of stalls; 6, 20, 50, 200")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    lengths = options.length or [6.0, 20.0, 50.0, 200.0]
    if options.worker:
        print(json.dumps(asyncio.run(figures(options.seconds, lengths))))
        return
    words = [sys.executable, __file__, "--worker", "--seconds", str(options.seconds)]
    words += [word for length in lengths for word in ("--length", str(length))]
    measured = [
        json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(options.processes)
    ]
    print(f"the helper process, Python {sys.version.split()[0]}")
    for label in measured[0]:
        one = median_estimate([found[label] for found in measured])
        print(f"{label:34} {one.value:7.2f} [{one.low:.2f}, {one.high:.2f}]")
    print(f"medians over {options.processes} processes, at {one.confidence:.1%}")


if __name__ == "__main__":
    main()
