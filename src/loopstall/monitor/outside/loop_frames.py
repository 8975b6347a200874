"""The event loops that are recognised by the stack of their thread, and by how it waits for events.

Hands on ``loop_of`` and ``waits``: pure functions of stacks as ``RemoteReader`` tells them. No loop has to be asked.
"""

from collections.abc import Iterable

from loopstall.monitor.outside.slot import Stack

__all__ = ["WAITING_CALLS", "loop_of", "selects", "waits"]

WAITING_CALLS = frozenset(
    {"epoll_wait", "epoll_pwait", "system call 441", "poll", "ppoll", "select", "pselect6"}  # 441: epoll_pwait2
)
"""System calls in which a thread waits for events."""

_TURNS = {
    ("asyncio/base_events.py", "BaseEventLoop._run_once"): "asyncio",
    ("asyncio/base_events.py", "BaseEventLoop.run_forever"): "asyncio",
    ("nest_asyncio.py", "_patch_loop.<locals>._run_once"): "asyncio",
    ("nest_asyncio.py", "_patch_loop.<locals>.run_forever"): "asyncio",
    ("nest_asyncio.py", "_patch_loop.<locals>.run_until_complete"): "asyncio",
    ("trio/_core/_run.py", "unrolled_run"): "trio",
    ("trio/_core/_run.py", "run"): "trio",
    ("curio/kernel.py", "Kernel.run"): "curio",
    ("qasync/__init__.py", "_QEventLoop.run_forever"): "qasync",
}
"""Frames that are on the stack of a loop's thread as long as the loop runs, by the end of the file and the function."""

_RUNNERS = {
    ("asyncio/runners.py", "Runner.run"),
    ("asyncio/runners.py", "run"),
    ("uvloop/__init__.py", "run"),
}
"""The last frames in Python of a loop that is written in another language."""

_SELECTS = ("/selectors.py", "loopstall/monitor/probes/epoll.py", "loopstall/monitor/probes/selector.py")
_SELECTING = ("asyncio/base_events.py", "nest_asyncio.py", "curio/kernel.py")
_WAITS_OF_TRIO = ("trio/_core/_io_epoll.py", "trio/_core/_io_kqueue.py")


def loop_of(stack: Stack, *, native: Iterable[str] = ()) -> str:
    """Returns which kind of event loop runs in a thread, "" for none.

    Args:
        stack: of the thread, innermost frame first.
        native: the loops in another language that the process has loaded.
    """
    for file, function, _ in stack:
        for (end, name), kind in _TURNS.items():
            if function == name and file.endswith(end):
                return kind
    if any(_is_runner(file, function) for file, function, _ in stack):
        return next(iter(native), "asyncio")
    return ""


def waits(stack: Stack, state: str, coroutine: str) -> bool:
    """Returns whether a loop waits for events: it is in a system call for that, and it is the loop that has called.

    A callback that selects by itself, as ``subprocess.run`` does, does not wait for the loop's events.

    Args:
        stack: of its thread.
        state: the system call that the thread is in.
        coroutine: the outermost one on the stack, "" for none.
    """
    if state not in WAITING_CALLS or not stack:
        return False
    caller = next((frame for frame in stack if not frame[0].endswith(_SELECTS)), None)
    if caller is None:
        return False
    file, function, _ = caller
    if caller is not stack[0]:
        return file.endswith(_SELECTING)
    return file.endswith(_WAITS_OF_TRIO) or _is_runner(file, function) or not coroutine


def selects(stack: Stack) -> bool:
    """Returns whether a loop that selects in Python is in its call for that, whatever its thread waits for there."""
    return bool(stack) and stack[0][0].endswith(_SELECTS)


def _is_runner(file: str, function: str) -> bool:
    return any(function == name and file.endswith(end) for end, name in _RUNNERS)
