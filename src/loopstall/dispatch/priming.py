"""Priming of a dispatch before the clock starts: its threads run, and each worker has done a job."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
import contextlib
import os
import threading

from loopstall.dispatch.base import DispatchError, Job
from loopstall.loops.asyncio_loop import asyncio_adapter

__all__ = ["default_width", "each_worker", "start_threads"]

_LIMIT_S = 30.0
_ROUNDS = 200


def default_width() -> int:
    """Returns how many threads the default executor of asyncio has.

    It gets that many however few jobs come at a time: a job that is sent before the last one's thread has said that it
    is free starts another.
    """
    cores = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    return min(32, cores + 4)


async def start_threads(job: Job, in_thread: Callable[[Callable[[], object]], Awaitable[object]], count: int) -> None:
    """Starts the threads of a pool, each of which blocks its starter until it runs.

    Under jobs that keep the GIL this takes several ms a thread, on the loop.

    Args:
        job: the job that they do.
        in_thread: calls a function in a thread of the pool.
        count: the number of threads to start, which the pool can have.
    """
    all_there = threading.Barrier(count)

    def meet() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):  # fewer are better than none
            all_there.wait(_LIMIT_S)

    async def one() -> None:
        try:
            await in_thread(meet)
        except BaseException:  # one that cannot be started keeps nobody waiting
            all_there.abort()
            raise

    adapter = job.adapter or asyncio_adapter()
    async with adapter.group() as start:
        for _ in range(count):
            start(one)


async def each_worker(width: int, prime: Callable[[], Awaitable[Hashable]]) -> None:
    """Primes until each of a pool's workers has been.

    Args:
        width: the number of workers.
        prime: primes one, whichever is free, and returns what tells it from the others.

    Raises:
        DispatchError: some never take part.
    """
    primed: set[Hashable] = set()
    for _ in range(_ROUNDS):
        primed.update(await asyncio.gather(*(prime() for _ in range(width))))
        if len(primed) >= width:
            return
    raise DispatchError(f"only {len(primed)} of {width} workers of the pool take jobs; start the run again")
