"""Dask: a ``distributed.Client`` on a cluster of our own, or on the one that ``LOOPSTALL_DASK_SCHEDULER`` names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
import os

from loopstall.dispatch.base import Call, Dispatch, DispatchError, Job
from loopstall.dispatch.worker import invoke, prime
from loopstall.errors import not_installed
from loopstall.workloads.definition import Workload

__all__ = ["DISPATCH", "SCHEDULER"]

SCHEDULER = "LOOPSTALL_DASK_SCHEDULER"
"""Names the environment variable with the address of a scheduler to use."""

_START_LIMIT_S, _REACH_LIMIT_S = 30, 5


def _missing(_workload: Workload) -> str | None:
    return not_installed("distributed", "dask[distributed]")


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    from distributed import Client, LocalCluster  # an extra, and slow to import

    width = max(1, min(job.concurrency, os.cpu_count() or 1))
    path, name, kwargs = job.workload.path, job.workload.name, job.kwargs
    async with AsyncExitStack() as stack:
        address = os.environ.get(SCHEDULER)
        if address:
            try:
                client = await stack.enter_async_context(Client(address, asynchronous=True, timeout=_REACH_LIMIT_S))
            except (OSError, ValueError) as error:
                text = f"cannot reach the scheduler {address}: {error}; check --dask-scheduler"
                raise DispatchError(text) from error
        else:
            cluster = await stack.enter_async_context(
                LocalCluster(
                    n_workers=width, threads_per_worker=1, dashboard_address=None, asynchronous=True, silence_logs=50
                )
            )
            client = await stack.enter_async_context(Client(cluster, asynchronous=True))
            await client.wait_for_workers(width, timeout=_START_LIMIT_S)
        first = [
            client.submit(prime, path, name, job.seeds, kwargs, 0, pure=False, workers=[worker])
            for worker in client.scheduler_info(n_workers=-1)["workers"]
        ]
        await client.gather(first)

        async def call(seed: int) -> object:
            return await client.submit(invoke, path, name, seed, kwargs, pure=False)

        yield call
        await asyncio.sleep(0)


DISPATCH = Dispatch(
    name="dask",
    summary="distributed.Client on a LocalCluster with one process per core, or on a scheduler of yours",
    missing=_missing,
    open=_open,
    on_request=True,
)
