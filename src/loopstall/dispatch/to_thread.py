"""``asyncio.to_thread``: the loop's default executor, min(32, cores + 4) threads wide."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loopstall.dispatch.base import Call, Dispatch, Job

__all__ = ["DISPATCH"]


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    import asyncio  # noqa: PLC0415  # `loopstall --help` starts without it

    function, kwargs = job.workload.function, job.kwargs
    yield lambda seed: asyncio.to_thread(function, seed, **kwargs)
    await asyncio.get_running_loop().shutdown_default_executor()


DISPATCH = Dispatch(
    name="to_thread",
    summary="asyncio.to_thread: the default executor, min(32, cores + 4) threads",
    missing=lambda _workload: None,
    open=_open,
)
