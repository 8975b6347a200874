"""What loopstall's harness costs: its time per job over a hand-written loop that does the same, job for job.

Both do a job that does nothing, in the same process, by turns; the ratio of each pair is taken, over several
fresh processes. Run it with: python bench/harness_cost.py
"""

import argparse
import asyncio
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
import json
import multiprocessing
import os
from pathlib import Path
import subprocess
import sys
import time

from noop import nothing

from loopstall.harness import run
from loopstall.records import Cell, Load, Strategy, WorkloadRef
from loopstall.stats.median import median_estimate

LIMIT = 1.10
CONCURRENCY = 8
JOBS = {"inline": 200_000, "to_thread": 10_000, "threads": 10_000, "processes": 4_000}
JUDGED = ("to_thread", "processes")


async def by_hand(dispatch: str, jobs: int) -> float:
    """Returns seconds per job of what a program would write itself."""
    loop = asyncio.get_running_loop()
    pool: Executor | None = None
    if dispatch == "threads":
        pool = ThreadPoolExecutor(CONCURRENCY)
    elif dispatch == "processes":
        width = min(CONCURRENCY, os.cpu_count() or 1)
        pool = ProcessPoolExecutor(width, mp_context=multiprocessing.get_context("spawn"))
        await asyncio.gather(*(loop.run_in_executor(pool, time.sleep, 0.2) for _ in range(width)))
    left = iter(range(jobs))

    async def client() -> None:
        for seed in left:
            if dispatch == "inline":
                result = nothing(seed)
            elif dispatch == "to_thread":
                result = await asyncio.to_thread(nothing, seed)
            else:
                result = await loop.run_in_executor(pool, nothing, seed)
            assert result == seed
            await asyncio.sleep(0)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CONCURRENCY)))
    took = time.perf_counter() - begun
    if pool is not None:
        pool.shutdown()
    return took / jobs


def with_loopstall(dispatch: str, jobs: int) -> float:
    """Returns seconds per job of the harness, monitor, clocks, histograms and all."""
    cell = Cell(
        workload=WorkloadRef(path=str(Path(__file__).parent / "noop.py"), name="nothing"),
        strategy=Strategy(loop="asyncio", dispatch=dispatch),
        load=Load(jobs=jobs, concurrency=CONCURRENCY),
    )
    return run.measure(cell, seed=1, threshold_ns=5_000_000).time_per_job_ns / 1e9


def pairs(dispatch: str, count: int, share: float) -> list[float]:
    """Returns the ratio of each pair, the two sides taking turns at going first."""
    jobs = max(1, round(JOBS[dispatch] * share))
    ratios = []
    for number in range(count):
        if number % 2:
            ours, theirs = with_loopstall(dispatch, jobs), asyncio.run(by_hand(dispatch, jobs))
        else:
            theirs, ours = asyncio.run(by_hand(dispatch, jobs)), with_loopstall(dispatch, jobs)
        ratios.append(ours / theirs)
    return ratios


def main() -> int:
    """Prints the ratios and says whether they keep the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=7, help="fresh processes a dispatch")
    parser.add_argument("--pairs", type=int, default=4, help="pairs a process")
    parser.add_argument("--share", type=float, default=1.0, help="of the jobs that each side does")
    parser.add_argument("--worker", choices=list(JOBS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(pairs(options.worker, options.pairs, options.share)))
        return 0
    good = True
    for dispatch in JOBS:
        medians = []
        for _ in range(options.processes):
            given = ["--pairs", str(options.pairs), "--share", str(options.share)]
            words = [sys.executable, __file__, "--worker", dispatch, *given]
            ratios = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
            medians.append(median_estimate(ratios).value)
        estimate = median_estimate(medians)
        kept = estimate.value <= LIMIT
        verdict = ("ok" if kept else "over the limit") if dispatch in JUDGED else "not judged"
        print(
            f"{dispatch:10} loopstall / by hand: {estimate.value:.3f}"
            f" [{estimate.low:.3f}, {estimate.high:.3f}] ({estimate.confidence:.1%} over {estimate.runs} processes),"
            f" limit {LIMIT}: {verdict}",
            flush=True,
        )
        good = good and (kept or dispatch not in JUDGED)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
