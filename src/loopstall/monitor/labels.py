"""Labels that a program gives to the work of its loop, such as the route of a request."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
import contextlib
from contextvars import ContextVar
from functools import partial
import sys
from typing import Any
from weakref import WeakKeyDictionary

from loopstall.monitor.coroutines import frame_of
from loopstall.monitor.gil import FREE_THREADED
from loopstall.records.clock import now_ns

__all__ = ["Label", "following", "label_at", "label_here", "label_of", "labelled", "route_of"]

_PAST = 512

Label = Callable[[], str]
"""Asked when a stall has ended, for a route may be known only later."""

_label: ContextVar[Label] = ContextVar("loopstall_label")
_of_tasks: WeakKeyDictionary[Any, Label] = WeakKeyDictionary()
"""For where no other thread can read the context of a task."""

_past: deque[tuple[int, int, int, Label]] = deque(maxlen=_PAST)
"""Frame, begin, end and label of what is over: a stall is looked into when it has ended, and so may have its task."""

_CONTEXT_IS_SEEN = sys.version_info >= (3, 12) and not FREE_THREADED
"""Not before Python 3.12, and not where the task may replace what it holds while it is read."""


@contextlib.contextmanager
def labelled(label: Label) -> Iterator[None]:
    """Gives a label to the stalls of this task and of the tasks that it starts.

    Args:
        label: returns the text.
    """
    token = _label.set(label)
    task = asyncio.current_task()
    began_ns = now_ns()
    if task is not None:
        _of_tasks[task] = label
    try:
        yield
    finally:
        _label.reset(token)
        if task is not None:
            _of_tasks.pop(task, None)
            _past.append((frame_of(task.get_coro()), began_ns, now_ns(), label))


@contextlib.contextmanager
def following(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Passes a task's label on to the tasks that it starts, where their context does not.

    Args:
        loop: whose tasks; one that has a task factory of its own keeps it, and they do not.
    """
    if _CONTEXT_IS_SEEN or loop.get_task_factory() is not None:
        yield
        return

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **named)
        label = _label.get(None)
        if label is not None:
            _of_tasks[task] = label
        return task

    loop.set_task_factory(make)
    try:
        yield
    finally:
        if loop.get_task_factory() is make:
            loop.set_task_factory(None)


def route_of(scope: Mapping[str, Any]) -> str:
    """Names a request of ASGI by its route where the framework gives it, because the number of paths is unbounded."""
    path = getattr(scope.get("route"), "path", None)
    return f"{scope.get('method', 'WS')} {path or scope.get('path', '')}"


def label_at(frame: int, at_ns: int) -> Label | None:
    """Returns the label that the task of a coroutine had at a moment that is past.

    Args:
        frame: address of the coroutine's frame.
        at_ns: the moment.
    """
    return next((one[3] for one in reversed(_past) if one[0] == frame and one[1] <= at_ns <= one[2]), None)


label_here: Callable[[], Label | None] = partial(_label.get, None)
"""Returns the label of what this thread is running; in C, as ``asking`` needs it."""


def label_of(task: Any) -> Label | None:
    """Returns the label of a task, in any thread."""
    found: Label | None = task.get_context().get(_label) if _CONTEXT_IS_SEEN else None
    return found or _of_tasks.get(task)
