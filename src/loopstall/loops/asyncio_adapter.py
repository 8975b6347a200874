"""The adapter of asyncio, and of the loops that are driven through it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from loopstall.loops.base import Start, Timer
from loopstall.monitor.lag import read_by

__all__ = ["AsyncioAdapter"]

_T = TypeVar("_T")


async def _awaited(read: asyncio.Future[None], reading: Timer) -> None:
    try:
        await read
    finally:
        reading.cancel()


class AsyncioAdapter:
    """The harness's view of the running loop."""

    watched: Any = None
    sleep = staticmethod(asyncio.sleep)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def group(self) -> AsyncIterator[Start]:
        """Yields a function that starts tasks, and waits for all of them at its end."""
        async with asyncio.TaskGroup() as group:
            yield lambda function, *arguments: group.create_task(function(*arguments))

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls a function in the loop's thread after a time."""
        return self._loop.call_later(seconds, callback)

    def readable(self, file: int, callback: Callable[[], object]) -> Timer | None:
        """Calls a function in the loop's thread whenever a file can be read; None where the loop reads no files."""
        return read_by(self._loop, file, callback)

    def until_readable(self, file: int, /) -> Awaitable[None] | None:
        """Waits until a file can be read; returns None where the loop reads no files."""
        read = self._loop.create_future()
        reading = read_by(self._loop, file, lambda: None if read.done() else read.set_result(None))
        return _awaited(read, reading) if reading is not None else None

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Calls what waits in a thread that nobody else uses."""
        with ThreadPoolExecutor(1, "loopstall-waiter") as waiter:
            return await self._loop.run_in_executor(waiter, function)
