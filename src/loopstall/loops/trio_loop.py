"""trio: a loop with structured concurrency of its own, an extra that may be missing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from loopstall.errors import not_installed
from loopstall.loops.base import Loop, LoopAdapter, Start, Timer

__all__ = ["LOOP"]

_T = TypeVar("_T")


class _TrioAdapter:
    """The adapter of the running trio."""

    def __init__(self) -> None:
        import trio  # an extra

        from loopstall.monitor.probes import TrioRun

        self._trio = trio
        self.watched: Any = TrioRun()

    async def sleep(self, seconds: float, /) -> None:
        """Lets other tasks run for at least that long, or once for 0."""
        await self._trio.sleep(seconds)

    @asynccontextmanager
    async def group(self) -> AsyncIterator[Start]:
        """Yields a function that starts tasks, and waits for all of them at its end."""
        async with self._trio.open_nursery() as nursery:
            yield nursery.start_soon

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls a function from a task of its own after a time."""
        scope = self._trio.CancelScope()

        async def wait() -> None:
            with scope:
                await self._trio.sleep(seconds)
                callback()

        self._trio.lowlevel.spawn_system_task(wait)
        timer: Timer = scope
        return timer

    def readable(self, file: int, callback: Callable[[], object]) -> Timer | None:
        """Calls a function from a task of its own whenever a file can be read."""
        scope = self._trio.CancelScope()

        async def read() -> None:
            with scope:
                while not scope.cancel_called:  # which takes a wait back at once: the file may be closed then
                    await self._trio.lowlevel.wait_readable(file)
                    if not scope.cancel_called:
                        callback()

        self._trio.lowlevel.spawn_system_task(read)
        reading: Timer = scope
        return reading

    async def until_readable(self, file: int, /) -> None:
        """Waits until a file can be read."""
        await self._trio.lowlevel.wait_readable(file)

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Calls what waits in a thread."""
        result: _T = await self._trio.to_thread.run_sync(function)
        return result


def _missing() -> str | None:
    return not_installed("trio")


def _run(main: Callable[[], Awaitable[Any]]) -> Any:
    import trio  # an extra

    return trio.run(main)


def _version() -> str:
    from importlib import metadata

    return f"trio {metadata.version('trio')}"


def _adapter() -> LoopAdapter:
    return _TrioAdapter()


LOOP = Loop(
    name="trio",
    summary="trio, which has inline, to_thread (trio's own) and anyio",
    missing=_missing,
    run=_run,
    adapter=_adapter,
    version=_version,
    on_request=True,
)
