"""The heavy route of a server with a loop: the job by the dispatch that the order names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os

from loopstall.dispatch import DISPATCHES, Call, Job
from loopstall.servers.handshake import ServerJob
from loopstall.workloads.loader import resolve

__all__ = ["opened"]


@asynccontextmanager
async def opened(order: ServerJob) -> AsyncIterator[Call]:
    """Opens the order's dispatch on the running loop and gives what does the job of a seed."""
    job = Job(workload=resolve(order.path, order.name), kwargs=order.kwargs, concurrency=os.cpu_count() or 1)
    async with DISPATCHES[order.dispatch].open(job) as call:

        async def checked(seed: int) -> object:
            return order.checked(seed, await call(seed))

        yield checked
