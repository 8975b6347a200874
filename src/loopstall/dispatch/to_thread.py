"""``asyncio.to_thread``: the loop's default executor, min(32, cores + 4) threads wide; elsewhere the loop's own.

On trio it is ``trio.to_thread.run_sync``, behind 40 tokens, and on curio ``curio.run_in_thread``, 64 threads at most.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import default_width, start_threads

__all__ = ["DISPATCH"]


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    function, kwargs = job.workload.function, job.kwargs
    if job.loop == "trio":
        import trio  # an extra

        called = partial(function, **kwargs)
        tokens = int(trio.to_thread.current_default_thread_limiter().total_tokens)
        await start_threads(job, trio.to_thread.run_sync, min(job.concurrency, tokens))
        yield lambda seed: trio.to_thread.run_sync(called, seed)
        return
    if job.loop == "curio":
        import curio  # an extra

        called = partial(function, **kwargs)
        await start_threads(job, curio.run_in_thread, min(job.concurrency, curio.workers.MAX_WORKER_THREADS))
        yield lambda seed: curio.run_in_thread(called, seed)
        return
    import asyncio  # `loopstall --help` starts without it

    await start_threads(job, asyncio.to_thread, default_width())
    yield lambda seed: asyncio.to_thread(function, seed, **kwargs)
    await asyncio.get_running_loop().shutdown_default_executor()


DISPATCH = Dispatch(
    name="to_thread",
    summary="asyncio.to_thread: the default executor, min(32, cores + 4) threads",
    missing=lambda _workload: None,
    open=_open,
    also_on=("trio", "curio"),
)
