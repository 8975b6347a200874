"""The program's side of the helper: one connection a process, and the slots that its loops take by turns.

Hands on ``link``, which starts the helper when it is first asked for, or joins the one of the session. What the helper
does is no matter of this module; neither is what becomes of what it has seen.
"""

import _socket
from collections.abc import Callable
import contextlib
import ctypes
import json
import os
from pathlib import Path
import sys
import sysconfig
from typing import Any

from loopstall.monitor.kernel import Alarm, Poll, UnavailableError
from loopstall.monitor.outside.address import connected
from loopstall.monitor.outside.messages import NEWS, REFUSED, SEEN, SLOT, fds_of, news_in, packed_hello, rights
from loopstall.monitor.outside.slot import Slot
from loopstall.monitor.outside.start import start_helper
from loopstall.monitor.stack import capture
from loopstall.monitor.threads import Lock, Thread, get_native_id

__all__ = ["VARIABLE", "Link", "Place", "join", "leave", "link", "prepare", "say"]

VARIABLE = "LOOPSTALL_HELPER"
"""Names number and socket of the session's helper to the processes that a session starts."""

_PR_SET_PTRACER = 0x59616D61
_ANSWER_BYTES = 1 << 16
_FDS_BYTES = 256


class Place:
    """The part of a loop that the helper has as well: the memory that both share, and the alarm that is put off."""

    def __init__(self) -> None:
        self.slot = Slot.make()
        try:
            self.alarm = Alarm()
        except (UnavailableError, OSError):
            self.slot.close()
            raise

    def close(self) -> None:
        """Gives both back."""
        self.alarm.close()
        self.slot.close()


class Link:
    """The connection of this process to its helper.

    Args:
        helper: number and socket of one that may look at this process already; "" for one of the session, or a new one.

    Raises:
        UnavailableError: there can be none here, and why.
    """

    def __init__(self, helper: str = "") -> None:
        self.hears: dict[int, Callable[[bytes], object]] = {}
        """The functions that are given the news of stalls that go on in a thread, by its number."""
        self._listens = False
        self.note = ""
        """The test that runs, or whatever else the program does, for people: see ``Slot.note``."""
        self._free: list[Place] = []
        self._all: list[Place] = []
        self._fault = ""
        self._outermost: tuple[str, str] = ("", "")
        self.answered = False
        """True once the helper has: it looks, or has said why it cannot."""
        self.proven = False
        """True once what the helper has read of a stack was found to be so, by whoever uses it."""
        try:
            if helper:
                self._socket, self.pid = _connected(helper) or _missing()
            else:
                self._socket, self.pid = _connected(os.environ.get(VARIABLE, "")) or _started()
                _allow(self.pid)
            try:
                self._introduce()
            except BaseException:  # the helper has ended before it was greeted
                self._socket.close()
                raise
        except OSError as error:
            raise UnavailableError(f"the helper process cannot be started: {error.strerror or error}") from error

    def _introduce(self) -> None:
        """Says who this is, lets the helper read this process' memory, and remembers where this thread stands."""
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        code, _ = capture(sys._getframe(1), depth=sys.maxsize)[-1]  # noqa: SLF001  # the documented way in
        self._outermost = code.co_filename, code.co_qualname
        free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        name = Path(sys.argv[0]).name if getattr(sys, "argv", None) else "python"
        self._socket.send(packed_hello(runtime, get_native_id(), free_threaded=free_threaded, name=name))
        self._socket.setblocking(False)

    def fault(self) -> str:
        """Returns in a sentence why nobody looks, "" where somebody does, or is about to."""
        while not self._fault:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_ANSWER_BYTES, _FDS_BYTES, _socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except OSError:
                data, ancillary = b"", []
            self._take(data, news_in(fds_of(ancillary)))
        return self._fault

    def wait(self, within_s: float) -> None:
        """Waits until the helper looks, or has said why it cannot, for so many seconds at most."""
        if within_s and not self.fault() and not self.answered:
            Poll(self._socket.fileno()).wait(round(within_s * 1e3))
            self.fault()

    def _take(self, data: bytes, news: bytes) -> None:
        kind, rest = data[:1], data[1:]
        self.answered = True
        if kind == SEEN:
            outermost = "\0".join(self._outermost).encode(errors="replace")
            if rest not in {outermost, b""}:  # all else may have moved on since; empty where it cannot be said
                self.disprove()
        elif kind == REFUSED:
            self._fault = f"the helper process cannot look: {rest.decode(errors='replace')}"
        elif kind == NEWS:
            hear = self.hears.get(json.loads(news)["thread_id"]) if self.hears and news else None
            if hear is not None:
                hear(news)
        else:
            self._fault = "the helper process has ended"

    def listen(self) -> None:
        """Has news heard while loops are stuck: by a thread, which sleeps until there are any."""
        if not self._listens:
            self._listens = True
            Thread(self._hear)

    def _hear(self) -> None:
        ready = Poll(self._socket.fileno())
        while not self.fault():
            ready.wait()

    def disprove(self) -> None:
        """Trusts the helper no more: what it has read is not so."""
        self._fault = self._fault or "the helper process has read another stack than the thread has"

    def take(self) -> Place:
        """Returns a place for a loop, which ``give`` takes back.

        Raises:
            UnavailableError: there is none, and why.
        """
        if self._fault or not (self.answered and self._free):  # else the next stall is soon enough to ask
            self.fault()
        if self._fault:
            raise UnavailableError(self._fault)
        if self._free:
            return self._free.pop()
        try:
            place = Place()
        except OSError as error:
            raise UnavailableError(f"no memory can be shared with the helper process: {error.strerror}") from error
        try:
            self._socket.sendmsg([SLOT], rights(place.slot.fd, place.alarm.fd))
        except OSError as error:
            place.close()
            raise UnavailableError("the helper process takes no more loops") from error
        place.slot.keep()
        place.slot.note = self.note
        self._all.append(place)
        return place

    def say(self, note: str) -> None:
        """Tells the helper what the program is doing from now on."""
        self.note = note
        for place in self._all:
            place.slot.note = note

    def give(self, place: Place) -> None:
        """Takes a place back."""
        self._free.append(place)

    def keep(self) -> None:
        """Has the connection last until the process ends, which closes it; Python would warn of it as left open."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._socket))

    def close(self) -> None:
        """Gives everything back."""
        self._fault = self._fault or "the helper process is not needed any more"
        self._socket.close()
        for place in self._all:
            place.close()
        self._all.clear()
        self._free.clear()


def _connected(helper: str) -> tuple[Any, int] | None:
    """Returns a connection to a helper and its number, None where it is not there."""
    pid, _, path = helper.partition(" ")
    if not (path and pid.isdigit()):
        return None
    try:
        return connected(path), int(pid)
    except OSError:  # the session has ended
        return None


def _missing() -> tuple[Any, int]:
    raise UnavailableError("the helper process of the watch has ended")


def _started() -> tuple[Any, int]:
    """Starts a helper and returns the connection to it and its number."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        pid = start_helper(program=theirs.fileno())
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, pid


def _allow(pid: int) -> None:
    """Lets a process read this one's memory where Yama asks for that; elsewhere it is an error, and no matter."""
    ctypes.PyDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)


_lock = Lock()
_links: list[Link] = []


def say(note: str) -> None:
    """Tells the helper, if there is one, what this process is doing from now on."""
    for one in _links:
        one.say(note)


def prepare(within_s: float = 0.0) -> None:
    """Starts the helper, where there can be one, before a loop runs that would have to wait for that.

    Args:
        within_s: for how long it is waited for, at most.
    """
    with contextlib.suppress(UnavailableError):
        link().wait(within_s)


def link() -> Link:
    """Returns the connection of this process, made when it is first asked for.

    Raises:
        UnavailableError: there can be none here, and why.
    """
    if sys.platform != "linux":
        raise UnavailableError(f"{sys.platform} shows no process the memory of another one")
    with _lock:
        if not _links:
            _links.append(Link())
            _links[0].keep()
        return _links[0]


def join(helper: str) -> None:
    """Connects this process to a helper that need not be allowed to look at it, until ``leave``.

    Args:
        helper: its number and its socket, as in the variable.

    Raises:
        UnavailableError: it is not there.
    """
    with _lock:
        _links.append(Link(helper))


def leave() -> None:
    """Gives the connection back; no monitor uses it any more."""
    with _lock:
        while _links:
            _links.pop().close()


def _after_fork_in_child() -> None:
    """The helper is the parent's, and looks at the parent."""
    while _links:
        _links.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
