"""Watches the loops of this process for ``loopstall watch --inject``, which runs elsewhere, and takes that back.

Python runs ``begin`` and ``end`` in the main thread, between two steps of whatever the program does there. A connection
to the command says how long it wants to hear of stalls: each loop reads it like any socket, so that all is taken back
when the command has ended, however it did. This imports the standard library alone.
"""

from collections.abc import Callable
import contextlib
from functools import partial
import json
import os
from pathlib import Path
import socket
import sys
from types import FrameType
from typing import Any

import loopstall
from loopstall.instrument.child import VARIABLE
from loopstall.instrument.reporter import StallReporter
from loopstall.monitor import active, everywhere
from loopstall.monitor.outside import link
from loopstall.monitor.running import running_here
from loopstall.monitor.unavailable import UnavailableError

__all__ = ["FAREWELL", "begin", "end"]

FAREWELL = b"end"
"""Message of the command before it closes the connection; one that was killed sends none."""

_PACKAGE = str(Path(loopstall.__file__).parent)
_ROOMS = tuple(f"{_PACKAGE}{os.sep}{room}{os.sep}" for room in ("instrument", "monitor"))
_FAREWELL_BYTES = 64


class _Session:
    """The watch of this process for one command.

    Args:
        control: connection to the command; it does not block.
        folder: in which stalls are handed over.
        threshold_ns: the span without progress from which there is a stall.
    """

    def __init__(self, control: socket.socket, *, folder: str, threshold_ns: int) -> None:
        self._control = control
        self._folder = folder
        self._reporter = StallReporter(threshold_ns=threshold_ns, folder=folder, then=self._check)
        self._watched: dict[int, tuple[Any, Callable[[], object]]] = {}  # by the loop's id: it, and what ends its watch
        self._command_ended = self._ending = False
        self._left_alone = True  # the command has said nothing before it ended

    def start(self) -> None:
        """Watches the loops that run, and those that begin to."""
        everywhere.add(self._begin, self._join)
        loop = running_here()
        if loop is not None:
            self._join(loop)
        self.say(begun=True)

    def say(self, **message: object) -> None:
        """Tells the command something, if it is still there."""
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())

    def command_ended(self) -> bool:
        """Returns whether the command wants to hear no more; asks the system alone."""
        while not self._command_ended:
            try:
                heard = self._control.recv(_FAREWELL_BYTES)
            except BlockingIOError:
                break
            except OSError:
                heard = b""
            if heard:
                self._left_alone = False
            else:
                self._command_ended = True
        return self._command_ended

    def end(self) -> None:
        """Takes everything back: each loop's part in the thread of the loop, as soon as that has a turn."""
        if self._ending:
            return
        self._ending = True
        everywhere.discard(self._begin)
        for loop, _ in tuple(self._watched.values()):
            try:
                if not loop.is_running():
                    self._leave(loop)
                else:
                    loop.call_soon_threadsafe(partial(self._leave, loop))
            except RuntimeError:  # it has just been closed
                self._leave(loop)
        self._close_if_done()

    def abandon(self) -> None:
        """Leaves a forked child unwatched: what the loops' monitors have is gone already."""
        everywhere.discard(self._begin)
        self._watched.clear()
        self._control.close()

    def _begin(self, loop: Any) -> Callable[[], object]:
        """Watches a loop that is about to run."""
        if self.command_ended():
            self.end()
        elif id(loop) not in self._watched:
            self._enter(loop, self._reporter.pool.begin(loop))
            return partial(self._leave, loop)
        return lambda: None

    def _join(self, loop: Any) -> Callable[[], object]:
        """Watches a loop that runs already."""
        if id(loop) not in self._watched:
            self._enter(loop, self._reporter.pool.join(loop))
        return partial(self._leave, loop)

    def _enter(self, loop: Any, end_watch: Callable[[], object]) -> None:
        self._watched[id(loop)] = (loop, end_watch)
        with contextlib.suppress(AttributeError, NotImplementedError):  # trio and curio read no files for others
            loop.add_reader(self._control, self._heard, loop)

    def _heard(self, loop: Any) -> None:
        """Ends the watch of a loop, in its thread, when the command has ended."""
        if self.command_ended():
            self.end()
            self._leave(loop)

    def _leave(self, loop: Any) -> None:
        """Takes back what was done to a loop, in its thread or when it does not run."""
        _, end_watch = self._watched.pop(id(loop), (None, None))
        if end_watch is None:
            return
        with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError):  # as above, or it is closed
            loop.remove_reader(self._control)
        end_watch()
        self._close_if_done()

    def _check(self) -> None:
        """Looks whether the command is still there, when a stall has been handed over.

        A loop that reads the connection hears of it by itself, at once.
        """
        loop = running_here()
        if not hasattr(loop, "add_reader") and self.command_ended():
            self.end()

    def _close_if_done(self) -> None:
        if not self._ending or self._watched:
            return
        try:
            _sessions.remove(self)
        except ValueError:  # another thread does it
            return
        pool = self._reporter.pool
        pool.stop()
        link.leave()
        self.say(ended=True)
        self._control.close()
        if self._left_alone:
            self._clear()

    def _clear(self) -> None:
        """Removes the folder, which nobody else does any more."""
        with contextlib.suppress(OSError):
            for path in sorted(Path(self._folder).rglob("*"), reverse=True):  # what is in a folder goes before it
                path.rmdir() if path.is_dir() else path.unlink()
            Path(self._folder).rmdir()


_sessions: list[_Session] = []


def begin(control: socket.socket, *, version: str, folder: str, helper: str, threshold_ns: int) -> None:
    """Watches every loop of this process, or tells the command why it does not.

    Args:
        control: connection to the command.
        version: of the command.
        folder: in which stalls are handed over.
        helper: number and socket of the helper process that looks at this one.
        threshold_ns: the span without progress from which there is a stall.
    """
    control.setblocking(False)
    for left in tuple(_sessions):
        if left.command_ended():
            left.end()
    session = _Session(control, folder=folder, threshold_ns=threshold_ns)
    refusal = _refusal(version)
    if not refusal:
        try:
            link.join(helper)
        except UnavailableError as error:
            refusal = str(error)
    if refusal:
        session.say(refused=refusal)
        control.close()
        return
    _sessions.append(session)
    session.start()


def _refusal(version: str) -> str:
    """Returns why this process cannot be watched, "" where it can."""
    if loopstall.__version__ != version:
        return f"it has imported loopstall {loopstall.__version__} itself, and this is {version}"
    if _sessions:
        return "it is watched already, by another --inject"
    if VARIABLE in os.environ:
        return "it is watched already: it was started by loopstall watch"
    if active.monitors():
        return "it is watched already, by itself"
    return ""


def end() -> None:
    """Takes everything back that was done for commands that have ended, as soon as each loop has a turn."""
    for session in tuple(_sessions):
        loop = running_here()
        if not session.command_ended():  # another one's
            continue
        if hasattr(loop, "run_forever"):
            loop.call_soon_threadsafe(session.end)
        elif _in_ours():
            session.say(busy=True)
        else:
            session.end()


def _in_ours() -> bool:
    """Returns whether this thread is within code of ours, which may hold a lock; the wrapper of a run holds none."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # above is the script that has called
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_ROOMS) and file != everywhere.__file__:
            return True
        frame = frame.f_back
    return False


def _after_fork_in_child() -> None:
    """The watch is the parent's."""
    while _sessions:
        _sessions.pop().abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
