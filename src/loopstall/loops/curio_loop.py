"""curio: a kernel of coroutines with traps of its own, an extra that may be missing or not run on this Python."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import cache
import platform
from typing import Any, TypeVar

from loopstall.errors import not_installed
from loopstall.loops.base import Loop, LoopAdapter, Start, Timer

__all__ = ["LOOP"]

_T = TypeVar("_T")


class _CurioAdapter:
    """The adapter of the running kernel of curio."""

    def __init__(self) -> None:
        import curio.traps  # an extra

        from loopstall.monitor.probes import CurioRun

        self._curio: Any = curio
        self._run = CurioRun()
        self.watched: Any = self._run

    async def sleep(self, seconds: float, /) -> None:
        """Lets other tasks run for at least that long, or once for 0."""
        await self._curio.sleep(seconds)

    @asynccontextmanager
    async def group(self) -> AsyncIterator[Start]:
        """Yields a function that starts tasks, and waits for all of them at its end; a failure ends the others."""
        tasks: list[Any] = []
        try:
            yield lambda function, *arguments: tasks.append(self._spawn(function(*arguments)))
            group = self._curio.TaskGroup(tasks)
            await group.join()
        finally:
            for task in tasks:
                await task.cancel()  # returns at once where it has ended
        for task in tasks:
            if task.exception is not None and not isinstance(task.exception, self._curio.TaskCancelled):
                raise task.exception

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls a function from a task of its own after a time."""

        async def wait(task: Any) -> None:
            await self._curio.sleep(seconds)
            if not task.cancelled:
                callback()

        return self._alone(wait)

    def readable(self, file: int, callback: Callable[[], object]) -> Timer:
        """Calls a function from a task of its own whenever a file can be read."""

        async def read(task: Any) -> None:
            while True:
                await self.until_readable(file)
                if not task.cancelled:  # after the file had been found readable
                    callback()

        return self._alone(read)

    async def until_readable(self, file: int, /) -> None:
        """Waits until a file can be read."""
        await self._curio.traps._read_wait(file)  # noqa: SLF001  # what a socket of curio's awaits

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Calls what waits in a thread."""
        result: _T = await self._curio.run_in_thread(function)
        return result

    def _alone(self, function: Callable[[Any], Coroutine[Any, Any, None]]) -> Timer:
        """Starts a task that nobody joins, gives it to its function, and returns what ends it."""

        async def begin() -> None:
            task = await self._curio.current_task()
            task.daemon = True
            await function(task)

        return _Ending(self._run.kernel, self._spawn(begin()))

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Starts a task from a plain function, which curio has no call for: by the trap that its own ``spawn`` sets."""
        kernel = self._run.kernel
        kernel._traps["trap_spawn"](coroutine)  # noqa: SLF001
        return next(reversed(kernel._tasks.values()))  # noqa: SLF001


class _Ending:
    """Ends a task from a plain function, by the trap of curio's own ``cancel``, and takes back what it waits for."""

    def __init__(self, kernel: Any, task: Any) -> None:
        self._kernel = kernel
        self._task = task

    def cancel(self) -> None:
        """Cancels the calls of the function."""
        self._kernel._traps["trap_cancel_task"](self._task)  # noqa: SLF001


@cache
def _missing() -> str | None:
    absent = not_installed("curio")
    if absent:
        return absent
    try:
        import curio  # noqa: F401  # what an older curio imports of the standard library may have gone
    except Exception as error:  # noqa: BLE001
        python = ".".join(platform.python_version_tuple()[:2])
        return f"{_version()} does not run on Python {python} ({type(error).__name__}: {error})"
    return None


def _run(main: Callable[[], Awaitable[Any]]) -> Any:
    import curio  # an extra

    return curio.run(main)


def _version() -> str:
    from importlib import metadata

    return f"curio {metadata.version('curio')}"


def _adapter() -> LoopAdapter:
    return _CurioAdapter()


LOOP = Loop(
    name="curio",
    summary="curio, which has inline and to_thread (curio's own)",
    missing=_missing,
    run=_run,
    adapter=_adapter,
    version=_version,
    on_request=True,
)
