"""A dead-man's switch: the kernel has a thread write its own stack unless that thread asks for a delay in time.

A POSIX timer sends a real-time signal to the watched thread; faulthandler's handler, which is C and needs no GIL,
writes that thread's stack to a pipe at once, also in the middle of a C call that keeps the GIL. A thread that is
blocked in reading the pipe wakes up for a dump and for nothing else, so that a healthy loop pays for arming alone.

Only the signalled thread's own frames are written (``all_threads=False``): walking other threads' frames without
the GIL crashes. Linux alone has the timer that signals one thread.
"""

import ctypes
import faulthandler
import os
import re
import signal
import sys

from loopstall.records import Frame

__all__ = ["Switch", "UnavailableError", "parse_dump"]

_CLOCK_MONOTONIC = 1
_SIGEV_THREAD_ID = 4
_SIG_DFL, _SIG_IGN = 0, 1
_PIPE_BYTES = 1 << 16
_BEGIN = b"Stack (most recent call first)"
_FRAME = re.compile(rb'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$', re.MULTILINE)


class UnavailableError(Exception):
    """This process cannot have a switch, and why."""


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread_id", ctypes.c_int),
        ("pad", ctypes.c_char * 44),
    )


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Switch:
    """Watches the thread that makes it.

    Args:
        delay_ns: how long after ``arm`` the stack is written, unless ``arm`` is called again before.

    Raises:
        UnavailableError: the system has no such timer, or no signal is free.
    """

    def __init__(self, delay_ns: int) -> None:
        if sys.platform != "linux":
            raise UnavailableError(f"{sys.platform} has no timer that signals one thread")
        import threading  # noqa: PLC0415  # with the platform's check first

        self._libc = ctypes.PyDLL(None, use_errno=True)  # keeps the GIL: giving it up would cost more than the call
        self._signal = self._free_signal()
        self._libc.signal(self._signal, ctypes.c_void_p(_SIG_IGN))  # what a signal meets that comes after close
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)  # a full pipe drops a dump; it never blocks the watched thread
        try:
            faulthandler.register(self._signal, file=self._writer, all_threads=False, chain=False)
            self._timer = self._make_timer(threading.get_native_id())
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            self._release()
            raise UnavailableError(f"no timer for a stack: {error}") from error
        self._spec = ctypes.byref(_TimerSpec(value_s=delay_ns // 10**9, value_ns=delay_ns % 10**9))
        self._settime = self._libc.timer_settime
        self._settime.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._buffer = ctypes.create_string_buffer(_PIPE_BYTES)
        self._read = self._libc.read
        self._off = ctypes.byref(_TimerSpec())

    def _free_signal(self) -> int:
        """Returns a real-time signal that nobody handles, neither in Python nor in C."""
        action = ctypes.create_string_buffer(256)  # struct sigaction begins with the handler
        for number in range(signal.SIGRTMAX - 1, signal.SIGRTMIN + 1, -1):
            if self._libc.sigaction(number, None, action) == 0:
                handler = int.from_bytes(action.raw[: ctypes.sizeof(ctypes.c_void_p)], sys.byteorder)
                if handler == _SIG_DFL:
                    return number
        raise UnavailableError("no real-time signal is free")

    def _make_timer(self, thread_id: int) -> ctypes.c_void_p:
        event = _SigEvent(signo=self._signal, notify=_SIGEV_THREAD_ID, thread_id=thread_id)
        timer = ctypes.c_void_p()
        if self._libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return timer

    def arm(self) -> None:
        """Puts the dump off by the whole delay."""
        self._settime(self._timer, 0, self._spec, None)

    def disarm(self) -> None:
        """Asks for no dump until ``arm`` is called again."""
        self._settime(self._timer, 0, self._off, None)

    def drain(self) -> bytes:
        """Returns what has been written and not been read; keeps the GIL, so that no two threads share a dump."""
        count = self._read(self.reader, self._buffer, _PIPE_BYTES)
        return self._buffer.raw[:count] if count > 0 else b""

    def wake(self) -> None:
        """Wakes whoever reads the pipe."""
        os.write(self._writer, b"\0")

    def close(self) -> None:
        """Deletes the timer and gives the signal and the pipe back; called where nobody reads the pipe any more."""
        self._libc.timer_delete(self._timer)
        self._release()

    def _release(self) -> None:
        faulthandler.unregister(self._signal)
        self._libc.signal(self._signal, ctypes.c_void_p(_SIG_DFL))
        os.close(self.reader)
        os.close(self._writer)


def parse_dump(text: bytes) -> tuple[Frame, ...]:
    """Reads the last stack that faulthandler wrote, innermost frame first; one that was cut as far as it goes."""
    return tuple(
        Frame(
            file=match["file"].decode("utf-8", "replace"),
            line=int(match["line"]),
            function=match["function"].decode("utf-8", "replace"),
        )
        for match in _FRAME.finditer(text[max(0, text.rfind(_BEGIN)) :])
    )
