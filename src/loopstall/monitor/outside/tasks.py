"""Finds the tasks whose coroutines a look has met: the helper knows where a frame lies, the program whose it is.

Hands on ``tasks_of``.
"""

import asyncio
from collections.abc import Collection, Iterator
import contextlib
from typing import Any

from loopstall.monitor.coroutines import frame_of
from loopstall.monitor.probes import CurioRun, TrioRun

__all__ = ["tasks_of"]

_MOST = 20_000  # tasks that are gone through


def tasks_of(loop: Any, frames: Collection[int]) -> dict[int, Any]:
    """Returns the tasks whose coroutines have these frames, by the frame; what has ended and was forgotten is missing.

    Args:
        loop: that ran them.
        frames: addresses.
    """
    found: dict[int, Any] = {}
    wanted = set(frames) - {0}
    if not wanted:
        return found
    for number, (task, coroutine) in enumerate(_tasks(loop)):
        frame = frame_of(coroutine)
        if frame in wanted:
            found[frame] = task
        if len(found) == len(wanted) or number > _MOST:
            break
    return found


def _tasks(loop: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the tasks of a loop and their coroutines, also those that have just ended, as far as they are known."""
    if isinstance(loop, TrioRun):
        yield from _of_trio(loop.trio.lowlevel.current_root_task())
    elif isinstance(loop, CurioRun):
        for task in tuple(loop.kernel._tasks.values()):  # noqa: SLF001
            yield task, getattr(task, "_run_coro", task.coro)  # what runs it is the outermost
    else:
        for task in _of_asyncio(loop):
            with contextlib.suppress(Exception):  # one of another library's, that has none
                yield task, task.get_coro()


def _of_trio(task: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [task] if task is not None else []
    while waiting:
        one = waiting.pop()
        yield one, one.coro
        for nursery in one.child_nurseries:
            waiting.extend(nursery.child_tasks)


def _of_asyncio(loop: Any) -> Iterator[Any]:
    for handle in tuple(getattr(loop, "_ready", ())):  # callbacks of tasks that have ended in this turn
        for argument in getattr(handle, "_args", None) or ():
            if isinstance(argument, asyncio.Task):
                yield argument
    for known in ("_all_tasks", "_scheduled_tasks", "_eager_tasks"):  # until Python 3.13, with those that have ended
        with contextlib.suppress(RuntimeError):  # another thread makes one meanwhile
            yield from tuple(getattr(asyncio.tasks, known, ()))
    with contextlib.suppress(RuntimeError):
        yield from asyncio.all_tasks(loop)
