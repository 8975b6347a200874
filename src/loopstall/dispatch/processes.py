"""A process pool with one worker a core, started by spawn and primed before the clock starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.worker import invoke, prepare
from loopstall.workloads import Workload

__all__ = ["DISPATCH"]


def _missing(_workload: Workload) -> str | None:
    try:
        import multiprocessing.synchronize  # noqa: F401, PLC0415  # absent where there are no semaphores
    except ImportError as error:
        return f"this Python has no process pools ({error})"
    return None


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    import asyncio  # noqa: PLC0415  # `loopstall --help` starts without these
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    import multiprocessing  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    spawn = multiprocessing.get_context("spawn")
    width = max(1, min(job.concurrency, os.cpu_count() or 1))
    path, name, kwargs = job.workload.path, job.workload.name, job.kwargs
    # The barrier keeps a worker that is up early from doing every priming job itself.
    pool = ProcessPoolExecutor(
        width, mp_context=spawn, initializer=prepare, initargs=(spawn.Barrier(width), path, name)
    )
    try:
        await asyncio.gather(*(loop.run_in_executor(pool, os.getpid) for _ in range(width)))
        yield lambda seed: loop.run_in_executor(pool, invoke, path, name, seed, kwargs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


DISPATCH = Dispatch(
    name="processes",
    summary="a ProcessPoolExecutor, one spawned, primed worker a core",
    missing=_missing,
    open=_open,
)
