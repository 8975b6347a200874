"""The monitors that watch at present: a forked child goes without them, and at exit they ask nobody any more.

Hands on ``add``, ``discard`` and ``monitors``. The hook at exit is there while there are any.
"""

import atexit
import os
from typing import Protocol
import weakref

from loopstall.monitor.threads import Lock

__all__ = ["add", "discard", "monitors"]


class _Watching(Protocol):
    """A monitor, as far as this module is concerned."""

    def abandon(self) -> None:
        """Leaves a forked child unwatched and clean."""

    def rest(self) -> None:
        """Asks for no look."""

    def hush(self) -> None:
        """Asks nobody anything."""


_lock = Lock()
_monitors: "weakref.WeakSet[_Watching]" = weakref.WeakSet()


def add(monitor: _Watching) -> None:
    """Takes one in, which watches from now on."""
    with _lock:
        if not _monitors:
            atexit.register(_at_exit)
        _monitors.add(monitor)


def discard(monitor: _Watching) -> None:
    """Forgets one, which watches no more."""
    with _lock:
        _monitors.discard(monitor)
        if not _monitors:
            atexit.unregister(_at_exit)


def monitors() -> tuple[_Watching, ...]:
    """Returns all of them."""
    return tuple(_monitors)


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603  # another thread of the parent may have had it
    _lock = Lock()
    for monitor in monitors():
        monitor.abandon()
        discard(monitor)


def _at_exit() -> None:
    """Asks nobody any more: the interpreter goes before the process ends."""
    for monitor in monitors():
        monitor.rest()
        monitor.hush()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
