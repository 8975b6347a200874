"""``InterpreterPoolExecutor`` of Python 3.14: threads with an interpreter, and a GIL, of their own each."""

import asyncio
from collections.abc import AsyncIterator
import concurrent.futures
from contextlib import asynccontextmanager
import os

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import each_worker
from loopstall.dispatch.worker import invoke, prime
from loopstall.workloads.definition import Workload

__all__ = ["DISPATCH"]

_HOLD_S = 0.05


def _missing(_workload: Workload) -> str | None:
    if not hasattr(concurrent.futures, "InterpreterPoolExecutor"):
        return "InterpreterPoolExecutor comes with Python 3.14"
    return None


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    loop = asyncio.get_running_loop()
    width = max(1, min(job.concurrency, os.cpu_count() or 1))
    path, name, kwargs = job.workload.path, job.workload.name, job.kwargs
    with concurrent.futures.InterpreterPoolExecutor(width) as pool:  # type: ignore[attr-defined,unused-ignore]
        await each_worker(width, lambda: loop.run_in_executor(pool, prime, path, name, job.seeds, kwargs, _HOLD_S))
        yield lambda seed: loop.run_in_executor(pool, invoke, path, name, seed, kwargs)


DISPATCH = Dispatch(
    name="interpreters",
    summary="an InterpreterPoolExecutor, with one interpreter per core (Python 3.14)",
    missing=_missing,
    open=_open,
    on_request=True,
)
