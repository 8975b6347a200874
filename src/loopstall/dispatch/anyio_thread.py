"""``anyio.to_thread``: threads behind a limiter of 40 tokens, as Starlette runs a plain ``def`` route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
import importlib.util

from loopstall.dispatch.base import Call, Dispatch, Job
from loopstall.workloads import Workload

__all__ = ["DISPATCH"]


def _missing(_workload: Workload) -> str | None:
    return "anyio is not installed (pip install anyio)" if importlib.util.find_spec("anyio") is None else None


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    from anyio import to_thread  # noqa: PLC0415  # an extra

    function = partial(job.workload.function, **job.kwargs)
    yield lambda seed: to_thread.run_sync(function, seed)


DISPATCH = Dispatch(
    name="anyio",
    summary="anyio.to_thread.run_sync with its limiter of 40 tokens, as Starlette runs a plain def",
    missing=_missing,
    open=_open,
    on_request=True,
    also_on=("trio",),
)
