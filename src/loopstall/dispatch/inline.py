"""The trap: the job runs on the loop's own thread, and everything else waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from typing import Any

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.forks import ForkMark
from loopstall.records.cells import INLINE

__all__ = ["DISPATCH"]


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    function, kwargs, copy = job.workload.function, job.kwargs, ForkMark()

    async def call(seed: int) -> Any:
        try:
            return function(seed, **kwargs)
        finally:
            if copy:
                os._exit(0)

    yield call


DISPATCH = Dispatch(
    name=INLINE,
    summary="on the loop's own thread, where everything else waits for it",
    missing=lambda _workload: None,
    open=_open,
    also_on=("trio", "curio"),
)
