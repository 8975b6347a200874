"""What each way off the loop costs a job that does nothing, with pyperf.

Run it with: python bench/dispatch_overhead.py -o dispatch.json; then python -m pyperf stats dispatch.json
"""

import asyncio
from pathlib import Path
import time

import pyperf

from loopstall.dispatch import DISPATCHES, Job
from loopstall.loops import LOOPS
from loopstall.workloads import load_file


def time_jobs(loops: int, loop: str, dispatch: str) -> float:
    """Returns how many seconds ``loops`` jobs take one after the other, pools being open and primed."""
    (noop,) = load_file(str(Path(__file__).resolve().parent / "noop.py"))

    async def timed() -> float:
        async with DISPATCHES[dispatch].open(Job(workload=noop, kwargs={}, concurrency=1)) as call:
            await call(0)
            begun = time.perf_counter()
            for seed in range(loops):
                await call(seed)
            return time.perf_counter() - begun

    with asyncio.Runner(loop_factory=LOOPS[loop].make) as runner:
        return runner.run(timed())


async def do_nothing() -> None:
    """What awaiting a coroutine costs by itself."""


def main() -> None:
    """Measures every loop with every dispatch that takes a plain function."""
    runner = pyperf.Runner()
    for name, loop in LOOPS.items():
        if reason := loop.missing():
            print(f"skipped {name}: {reason}")
            continue
        runner.bench_async_func(f"{name}: await a coroutine", do_nothing, loop_factory=loop.make)
        for dispatch in DISPATCHES:
            if dispatch != "native":
                runner.bench_time_func(f"{name}/{dispatch}", time_jobs, name, dispatch)


if __name__ == "__main__":
    main()
