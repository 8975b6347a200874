"""What each way off the loop costs a job that does nothing, with pyperf.

Run it with: python bench/dispatch_overhead.py -o dispatch.json; then python -m pyperf stats dispatch.json
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
import time

import pyperf

from loopstall.dispatch import DISPATCHES, Job
from loopstall.loops import LOOPS
from loopstall.records import Load
from loopstall.runner.matrix import build, strategies
from loopstall.workloads.loader import load_file

NOOP = str(Path(__file__).resolve().parent / "noop.py")


def time_jobs(loops: int, loop: str, dispatch: str) -> float:
    """Returns how many seconds ``loops`` jobs take one after the other, pools being open and primed."""
    (noop,) = load_file(NOOP)

    async def timed() -> float:
        job = Job(workload=noop, kwargs={}, concurrency=1, loop=loop, adapter=LOOPS[loop].adapter())
        async with DISPATCHES[dispatch].open(job) as call:
            return await time_calls(loops, call)

    return float(LOOPS[loop].run(timed))


def time_awaits(loops: int, loop: str) -> float:
    """Returns how many seconds it takes to await a coroutine that does nothing, ``loops`` times."""

    async def do_nothing(_seed: int) -> None: ...

    return float(LOOPS[loop].run(lambda: time_calls(loops, do_nothing)))


async def time_calls(loops: int, call: Callable[[int], Awaitable[object]]) -> float:
    """Times ``loops`` calls after a first one."""
    await call(0)
    begun = time.perf_counter()
    for seed in range(loops):
        await call(seed)
    return time.perf_counter() - begun


def main() -> None:
    """Measures every loop with every dispatch that can be had here, and says why the others cannot."""
    runner = pyperf.Runner()
    (noop,) = load_file(NOOP)
    cells, skipped = build([noop], {noop.name: noop.grids}, strategies(everything=True), Load(jobs=1))
    if not runner.parse_args().worker:  # each process of pyperf's comes here as well
        for item in skipped:
            print(f"skipped {item.cell.strategy}: {item.reason}", flush=True)
    for loop in dict.fromkeys(cell.strategy.loop for cell in cells):
        runner.bench_time_func(f"{loop}: await a coroutine", time_awaits, loop)
    for cell in cells:
        runner.bench_time_func(str(cell.strategy), time_jobs, cell.strategy.loop, cell.strategy.dispatch)


if __name__ == "__main__":
    main()
