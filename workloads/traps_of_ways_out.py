"""The traps inside the ways out, each beside its cure: `how` says which; the finding names the difference.

Every job is an async function alone, for that is where these traps are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
import multiprocessing
from os.path import getsize
from pathlib import Path
import tempfile
import threading
import time

from loopstall import workload

_ASYNC = ("async",)
_SPAWN = multiprocessing.get_context("spawn")


def _right(result: object, seed: int, **_: object) -> bool:
    return result == seed


# Cancelling a task whose thread goes on


@workload(params={"how": ["thread-goes-on", "asked-to-stop"], "seconds": [0.08]}, on_request=True, dispatches=_ASYNC)
async def cancelled_thread(seed: int, *, how: str, seconds: float) -> int:
    """A task that waits for a thread is cancelled at once; the job lasts until the work has really ended.

    Stands for a request that its client has given up, a timeout around `to_thread`, a shutdown. Cancelling reaches the
    await and never the thread: it computes to its end, holds its place in the pool, and a shutdown waits for it. The
    cure is work that is asked to stop and looks. A right answer is the seed.
    """
    asked, begun, ended = threading.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not asked.is_set():
            time.sleep(0.002)
        loop.call_soon_threadsafe(ended.set)

    task = asyncio.create_task(asyncio.to_thread(work))
    await begun.wait()  # what still stands in line is taken out of it and never runs
    task.cancel()
    if how == "asked-to-stop":
        asked.set()
    await asyncio.gather(task, return_exceptions=True)
    await ended.wait()
    return seed


cancelled_thread.verify(_right)


# A process pool that is not primed


@workload(params={"how": ["first-job", "primed"]}, on_request=True, dispatches=_ASYNC)
async def pool_start(seed: int, *, how: str) -> int:
    """A small job for a process pool: the first one of a new pool, or one of a pool that has workers already.

    Stands for the first request after a deployment. A pool starts its workers when the first job comes: a spawned
    one imports the program anew, and the client waits. The cure is to prime it before clients come. A right answer is
    the seed.
    """
    loop = asyncio.get_running_loop()
    if how == "primed":
        return await loop.run_in_executor(_pool(), abs, seed)
    pool = ProcessPoolExecutor(1, mp_context=_SPAWN)
    try:
        return await loop.run_in_executor(pool, abs, seed)
    finally:
        pool.shutdown(wait=False)


def _pool() -> ProcessPoolExecutor:
    if not _pools:
        _pools.append(ProcessPoolExecutor(1, mp_context=_SPAWN))
        _pools[0].submit(abs, 0).result()
    return _pools[0]


_pools: list[ProcessPoolExecutor] = []


@pool_start.context
@contextmanager
def _(seed: int, *, how: str) -> Iterator[None]:  # noqa: ARG001
    if how == "primed":
        _pool()
    yield
    while _pools:
        _pools.pop().shutdown()


pool_start.verify(_right)


# The default executor saturated


@workload(params={"how": ["default-executor", "own-pool"], "calls": [48]}, on_request=True, dispatches=_ASYNC)
async def executor_width(seed: int, *, how: str, calls: int) -> int:
    """Many calls that wait, all at once: in the default executor, or in a pool with a thread for each call of a job.

    Stands for `to_thread` around a synchronous client or driver. The default executor has min(32, cores + 4) threads
    for the whole program, name lookups included: further calls wait in its queue, and nobody says so. The cure is
    a pool of one's own. A right answer is the seed.
    """
    loop = asyncio.get_running_loop()
    pool = None if how == "default-executor" else _threads[0]
    await asyncio.gather(*(loop.run_in_executor(pool, time.sleep, 0.01) for _ in range(calls)))
    return seed


_threads: list[ThreadPoolExecutor] = []


@executor_width.context
@contextmanager
def _(seed: int, *, how: str, calls: int) -> Iterator[None]:  # noqa: ARG001
    if how == "own-pool":
        pool, all_there = ThreadPoolExecutor(calls), threading.Barrier(calls)
        for _ in range(calls):
            pool.submit(all_there.wait)  # so that every thread is started now
        _threads.append(pool)
    yield
    while _threads:
        _threads.pop().shutdown()


executor_width.verify(_right)


# Pickling that costs more than the job


@workload(params={"how": ["argument", "by-path"], "mib": [8]}, on_request=True, dispatches=_ASYNC)
async def big_argument(seed: int, *, how: str, mib: int, path: str) -> int:  # noqa: ARG001  # the file is that big
    """A small job on a lot of data in a process: the data sent along, or the path of the file that it is in.

    Stands for images, tables and uploads handed to a pool. What is sent is pickled, written to a pipe, read and built
    again, on the loop's own process as well; the job itself takes next to nothing. The cure is to send where it is. A
    right answer is how many bytes there are.
    """
    loop = asyncio.get_running_loop()
    if how == "argument":
        return await loop.run_in_executor(_pool(), len, _data[0])
    return await loop.run_in_executor(_pool(), getsize, path)


_data: list[bytes] = []


@big_argument.context
@contextmanager
def _(seed: int, *, how: str, mib: int) -> Iterator[dict[str, str]]:  # noqa: ARG001
    _pool()
    _data[:] = [bytes(mib << 20)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(_data[0])
        yield {"path": str(path)}
    while _pools:
        _pools.pop().shutdown()


@big_argument.verify
def _(result: object, seed: int, *, how: str, mib: int, path: str) -> bool:  # noqa: ARG001
    return result == mib << 20


# One await after the other where all were meant at once


@workload(params={"how": ["one-by-one", "gather"], "calls": [10]}, on_request=True, dispatches=_ASYNC)
async def awaits(seed: int, *, how: str, calls: int) -> int:
    """Several answers that do not depend on each other, awaited in a loop or gathered.

    Stands for a handler that asks ten services. `await` in a `for` looks asynchronous, and others do run meanwhile, but
    this client waits for the sum instead of the longest. The cure is `gather` or a `TaskGroup`. A right answer is the
    seed.
    """
    if how == "gather":
        await asyncio.gather(*(asyncio.sleep(0.004) for _ in range(calls)))
    else:
        for _ in range(calls):
            await asyncio.sleep(0.004)
    return seed


awaits.verify(_right)


# An asynchronous generator whose body blocks


@workload(params={"how": ["blocking", "in-a-thread"], "lines": [4]}, on_request=True, dispatches=_ASYNC)
async def async_generator(seed: int, *, how: str, lines: int) -> int:
    """`async for` over a generator whose body waits synchronously, or in a thread.

    Stands for a streaming response, a cursor or a file that is wrapped into `async def ... yield`. The syntax promises
    that others run between two items; nothing in the body lets them. A right answer is the seed.
    """

    async def read() -> AsyncIterator[int]:
        for number in range(lines):
            if how == "blocking":
                time.sleep(0.02)  # noqa: ASYNC251  # the trap
            else:
                await asyncio.to_thread(time.sleep, 0.02)
            yield number

    count = 0
    async for _ in read():
        count += 1
    return seed if count == lines else -1


async_generator.verify(_right)


# A lock that is held across an await


@workload(params={"how": ["across-the-await", "around-the-update"]}, on_request=True, dispatches=_ASYNC)
async def lock_scope(seed: int, *, how: str) -> int:
    """A shared total that is updated after an answer has come: the lock held while waiting, or for the update alone.

    Stands for a cache, a session or a connection guarded by an `asyncio.Lock`. Held across an await, it makes all
    clients wait for each other's network; the loop stays free, so that no stall shows it. A right answer is the seed.
    """
    loop = asyncio.get_running_loop()
    lock = _locks.setdefault(loop, asyncio.Lock())
    if how == "across-the-await":
        async with lock:
            await asyncio.sleep(0.005)
            _totals[0] += 1
    else:
        await asyncio.sleep(0.005)
        async with lock:
            _totals[0] += 1
    return seed


_locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
_totals = [0]
lock_scope.verify(_right)
