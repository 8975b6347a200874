"""Ten minutes of stalls, with threads coming and going, watches nested, ended and begun anew: does it crash or leak?

Runs in one process per Python and loop; prints threads, descriptors and memory as they go, and fails where they grow.
Run it with: python bench/stress.py --minutes 10
"""

import argparse
import asyncio
import gc
import hashlib
import os
from pathlib import Path
import random
import sys
import threading
import time

import loopstall
from loopstall.loops import LOOPS

BIG = b"x" * 3_000_000
KINDS = (
    lambda: time.sleep(0.007),
    lambda: sum(range(300_000)),
    lambda: sorted(range(50_000), key=lambda number: -number),
    lambda: [str(Path("/proc/self") / str(number)) for number in range(1500)],
    lambda: hashlib.sha256(BIG).digest(),
    gc.collect,
)


def thread_of_a_moment(chance: random.Random) -> None:
    """Computes for a moment, with or without the GIL, and ends."""
    chance.choice(KINDS)()


def loop_of_a_moment() -> None:
    """Runs a loop of its own in its thread, and watches it."""

    async def main() -> None:
        with loopstall.watch():
            await asyncio.sleep(0.003)
            KINDS[0]()
            await asyncio.sleep(0)

    asyncio.run(main())


def join(threads: list[threading.Thread]) -> None:
    """Waits until all have ended."""
    for thread in threads:
        thread.join()


async def stalls(until: float, chance: random.Random) -> int:
    """Stalls the loop in every way, under watches of several thresholds, until the time has come."""
    seen = 0
    while time.monotonic() < until:
        with loopstall.watch(0.005) as fine, loopstall.watch(0.02, kept=5) as coarse:
            threads = [threading.Thread(target=thread_of_a_moment, args=(chance,)) for _ in range(chance.randrange(4))]
            if chance.random() < 0.2:
                threads.append(threading.Thread(target=loop_of_a_moment))
            for thread in threads:
                thread.start()
            for _ in range(chance.randrange(1, 10)):
                chance.choice(KINDS)()
                await asyncio.sleep(chance.choice([0, 0.001, 0.005]))
            await asyncio.to_thread(join, threads)
        seen += fine.count + coarse.count
        assert not fine.faults, fine.faults
    return seen


def standing() -> tuple[int, int, int]:
    """Returns how many threads and descriptors there are, and the memory in KiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return (
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
        pages * os.sysconf("SC_PAGESIZE") // 1024,
    )


def main() -> None:
    """Stresses one loop in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    if reason := LOOPS[options.loop].missing():
        sys.exit(f"cannot stress {options.loop}: {reason}")
    chance = random.Random(1)
    rows = []
    parts = 10
    with asyncio.Runner(loop_factory=LOOPS[options.loop].make) as runner:
        for part in range(parts):
            seen = runner.run(stalls(time.monotonic() + options.minutes * 60 / parts, chance))
            rows.append(standing())
            print(f"part {part + 1} of {parts}: {seen} stalls, threads, descriptors, KiB: {rows[-1]}", flush=True)
    middle, end = rows[parts // 2], rows[-1]
    if end[0] > middle[0] or end[1] > middle[1] or end[2] > middle[2] * 1.1:
        sys.exit(f"grows: {middle} in the middle, {end} at the end")
    print(f"{sys.version.split()[0]} {options.loop}: no crash, nothing grows")


if __name__ == "__main__":
    main()
