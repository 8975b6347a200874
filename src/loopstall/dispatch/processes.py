"""A process pool with one worker a core, started by spawn and primed before the clock starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import each_worker
from loopstall.dispatch.worker import invoke, prepare, prime
from loopstall.workloads.definition import Workload

__all__ = ["DISPATCH"]

_HOLD_S = 0.005


def _missing(_workload: Workload) -> str | None:
    try:
        import multiprocessing.synchronize  # noqa: F401  # absent where there are no semaphores
    except ImportError as error:
        return f"this Python has no process pools ({error})"
    return None


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    import asyncio  # `loopstall --help` starts without these
    from concurrent.futures import ProcessPoolExecutor
    import multiprocessing

    loop = asyncio.get_running_loop()
    spawn = multiprocessing.get_context("spawn")
    width = max(1, min(job.concurrency, os.cpu_count() or 1))
    path, name, kwargs = job.workload.path, job.workload.name, job.kwargs
    # The barrier has all workers there before the first of them is primed.
    pool = ProcessPoolExecutor(
        width, mp_context=spawn, initializer=prepare, initargs=(spawn.Barrier(width), path, name)
    )
    try:
        await each_worker(width, lambda: loop.run_in_executor(pool, prime, path, name, job.seeds, kwargs, _HOLD_S))
        yield lambda seed: loop.run_in_executor(pool, invoke, path, name, seed, kwargs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


DISPATCH = Dispatch(
    name="processes",
    summary="a ProcessPoolExecutor with one spawned worker per core, started beforehand",
    missing=_missing,
    open=_open,
)
