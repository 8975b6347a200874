"""The job's async version, awaited on the loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import default_width, start_threads
from loopstall.errors import not_installed
from loopstall.records.cells import ASYNC
from loopstall.workloads.definition import Workload

__all__ = ["DISPATCH"]


def _missing(workload: Workload) -> str | None:
    if workload.async_function is None:
        return "the workload has no async version"
    return next(filter(None, map(not_installed, workload.async_requires)), None)


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    function, kwargs = job.workload.async_function, job.kwargs
    assert function is not None, "the matrix skips cells without an async version"
    # It may ask in a thread, as asyncio itself does for names and files.
    await start_threads(job, asyncio.to_thread, default_width())
    yield partial(function, **kwargs)


DISPATCH = Dispatch(
    name=ASYNC, summary="the workload's async version, awaited on the loop", missing=_missing, open=_open
)
