"""A thread pool of the program's own, as wide as the load."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import start_threads

__all__ = ["DISPATCH"]


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    import asyncio  # `loopstall --help` starts without these
    from concurrent.futures import ThreadPoolExecutor

    function = partial(job.workload.function, **job.kwargs)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=job.concurrency, thread_name_prefix="loopstall-job") as pool:
        await start_threads(job, partial(loop.run_in_executor, pool), job.concurrency)
        yield lambda seed: loop.run_in_executor(pool, function, seed)


DISPATCH = Dispatch(
    name="threads",
    summary="a ThreadPoolExecutor of its own, with a thread for each job in flight",
    missing=lambda _workload: None,
    open=_open,
)
