"""The trap: the job runs on the loop's own thread, and everything else waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.forks import only_in_original

__all__ = ["DISPATCH"]


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    function, kwargs = only_in_original(job.workload.function), job.kwargs

    async def call(seed: int) -> Any:
        return function(seed, **kwargs)

    yield call


DISPATCH = Dispatch(
    name="inline",
    summary="on the loop's thread, where everything else waits for it: the trap",
    missing=lambda _workload: None,
    open=_open,
)
