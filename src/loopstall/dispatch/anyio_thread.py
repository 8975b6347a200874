"""``anyio.to_thread``: threads behind a limiter of 40 tokens, as Starlette runs a plain ``def`` route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.dispatch.priming import start_threads
from loopstall.errors import not_installed
from loopstall.workloads.definition import Workload

__all__ = ["DISPATCH"]


def _missing(_workload: Workload) -> str | None:
    return not_installed("anyio")


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    from anyio import to_thread  # an extra

    function = partial(job.workload.function, **job.kwargs)
    # The first call imports the backend of the running loop, which is most of what it takes.
    tokens = int(to_thread.current_default_thread_limiter().total_tokens)
    await start_threads(job, to_thread.run_sync, min(job.concurrency, tokens))
    yield lambda seed: to_thread.run_sync(function, seed)


DISPATCH = Dispatch(
    name="anyio",
    summary="anyio.to_thread.run_sync with its limiter of 40 tokens, as Starlette runs a plain def",
    missing=_missing,
    open=_open,
    on_request=True,
    also_on=("trio",),
)
