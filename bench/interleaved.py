"""What watching adds to an ``asyncio.run`` of nothing, as a command or a test that runs a loop of its own pays it.

In each of some fresh processes watched and plain runs take turns, which of them first changing by chance; a pair is the
median of a block of runs each. The difference and the ratio are medians over the processes, with their intervals. All
of it in the main thread, and then in a new thread for each run, as a test client of Starlette's has it. Run it with:
python bench/interleaved.py
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import subprocess
import sys
import threading
import time

from loopstall import watch
from loopstall.stats.median import median_estimate

_WARMING = 3  # pairs that do not count


async def nothing() -> None:
    """Does nothing."""


def here() -> None:
    """Runs a loop in this thread."""
    asyncio.run(nothing())


def in_a_thread() -> None:
    """Runs a loop in a thread of its own, from its start to its end."""
    thread = threading.Thread(target=here)
    thread.start()
    thread.join()


PLACES = {"in the main thread": here, "in a new thread each": in_a_thread}


def block(runs: int, place: str, *, watched: bool) -> float:
    """Returns the median time of so many runs, in ms; what begins and ends the watch is no part of it."""
    took, run = [], PLACES[place]
    with watch() if watched else contextlib.nullcontext():
        for _ in range(runs):
            begun = time.perf_counter_ns()
            run()
            took.append((time.perf_counter_ns() - begun) / 1e6)
    return statistics.median(took)


def pairs(number: int, count: int, runs: int, place: str) -> list[tuple[float, float]]:
    """Returns (watched, plain) of so many pairs, in ms a run."""
    chance = random.Random(number)
    found = []
    for _ in range(count + _WARMING):
        order = sorted((True, False), key=lambda _: chance.random())
        took = {watched: block(runs, place, watched=watched) for watched in order}
        found.append((took[True], took[False]))
    return found[_WARMING:]


def told(label: str, values: list[float], unit: str = "") -> str:
    """Returns a line with the median of processes and its interval."""
    estimate = median_estimate(values)
    return (
        f"  {label:28} {estimate.value:.3f}{unit} [{estimate.low:.3f}, {estimate.high:.3f}]"
        f" ({estimate.confidence:.1%} over {estimate.runs} processes)"
    )


def main() -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9, help="fresh processes")
    parser.add_argument("--pairs", type=int, default=60, help="pairs in each")
    parser.add_argument("--runs", type=int, default=10, help="runs of a loop in either half of a pair")
    parser.add_argument("--worker", type=int, metavar="NUMBER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps([pairs(options.worker, options.pairs, options.runs, place) for place in PLACES]))
        return
    common = [sys.executable, __file__, "--pairs", str(options.pairs), "--runs", str(options.runs)]
    measured = [
        json.loads(subprocess.run([*common, "--worker", str(n)], stdout=subprocess.PIPE, text=True, check=True).stdout)
        for n in range(options.processes)
    ]
    print("asyncio.run of nothing, watched against plain")
    for place, of_processes in zip(PLACES, zip(*measured, strict=True), strict=True):
        print(f"{place}:")
        print(told("plain", [statistics.median(p for _, p in one) for one in of_processes], " ms"))
        print(told("watched", [statistics.median(w for w, _ in one) for one in of_processes], " ms"))
        print(told("watched - plain", [statistics.median(w - p for w, p in one) for one in of_processes], " ms"))
        print(told("watched / plain", [statistics.median(w / p for w, p in one) for one in of_processes]))


if __name__ == "__main__":
    main()
