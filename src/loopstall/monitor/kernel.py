"""Calls of the Linux kernel that Python does not offer: timers, and reads that keep the GIL.

All but ``Poll`` goes through ``ctypes.PyDLL``, which keeps the GIL: giving it up costs more than these calls take, and
where other threads compute, the loop would wait up to a switch interval to get it back.
"""

from collections.abc import Callable
import ctypes
from functools import cache
import os
import sys

from loopstall.monitor.process_memory import Memory
from loopstall.monitor.threads import LocalData
from loopstall.monitor.unavailable import UnavailableError

__all__ = ["Alarm", "KeptFile", "OwnMemory", "Poll", "UnavailableError", "read_file"]

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_NS = 10**9
_SPECS_KEPT = 64
_POLLIN = 1


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


_OFF = _TimerSpec()


def _libc() -> ctypes.PyDLL:
    if sys.platform != "linux":
        raise UnavailableError(f"{sys.platform} has no timers of this kind")
    return _loaded()


@cache
def _loaded() -> ctypes.PyDLL:
    return ctypes.PyDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise UnavailableError(os.strerror(code))
    return result


class _Timer:
    """The common part of both kinds of timer: a delay is set by handing the kernel a prepared structure."""

    def __init__(self) -> None:
        self._specs: dict[int, _TimerSpec] = {}

    def _set(self, spec: int) -> None:
        raise NotImplementedError

    def arm(self, delay_ns: int) -> None:
        """Sets it to expire once, ``delay_ns`` from now, whatever it was set to before."""
        spec = self._specs.get(delay_ns)
        if spec is None:
            if len(self._specs) >= _SPECS_KEPT:
                self._specs.clear()
            spec = self._specs[delay_ns] = _TimerSpec(value_s=delay_ns // _NS, value_ns=delay_ns % _NS)
        self._set(ctypes.addressof(spec))

    def disarm(self) -> None:
        """Takes back what ``arm`` set."""
        self._set(ctypes.addressof(_OFF))


class Alarm(_Timer):
    """A timer that is waited for like a file (timerfd_create(2)): it wakes a thread that sleeps without the GIL.

    Raises:
        UnavailableError: the system has none, or no descriptor is free.
    """

    def __init__(self) -> None:
        super().__init__()
        libc = _libc()
        self.fd = _checked(libc.timerfd_create(_CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK))
        self._read = libc.read
        self._expiries = ctypes.create_string_buffer(8)
        self._settime = libc.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._moment = _TimerSpec()
        self._moment_at = ctypes.addressof(self._moment)

    def _set(self, spec: int) -> None:
        self._settime(self.fd, 0, spec, None)

    def repeat(self, interval_ns: int) -> None:
        """Sets it to expire every ``interval_ns`` from now on."""
        seconds, rest = divmod(interval_ns, _NS)
        spec = _TimerSpec(interval_s=seconds, interval_ns=rest, value_s=seconds, value_ns=rest)
        self._set(ctypes.addressof(spec))

    def at(self, due_ns: int) -> None:
        """Sets it to expire once at a moment of ``time.perf_counter_ns``, and forgets any expiry before."""
        spec = self._moment
        spec.value_s, spec.value_ns = divmod(due_ns, _NS)
        self._settime(self.fd, _ABSOLUTE, self._moment_at, None)

    def clear(self) -> None:
        """Forgets an expiry, so that the next one can be waited for."""
        self._read(self.fd, self._expiries, 8)

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self.fd)


class _Polled(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("came", ctypes.c_short))


class Poll:
    """Waits for files to read, without the GIL; the program may have put something else into the module ``select``.

    Args:
        fds: the files.
    """

    def __init__(self, *fds: int) -> None:
        self._files = (_Polled * len(fds))(*(_Polled(fd=fd, events=_POLLIN) for fd in fds))
        self._poll = ctypes.CDLL(None).poll
        self.arguments = ctypes.addressof(self._files), len(fds)
        """The address of the files and their number, as poll(2) wants them."""

    def wait(self, pause_ms: int = -1) -> None:
        """Waits for one of them, or for so long."""
        self._poll(self._files, len(self._files), pause_ms)

    def is_ready(self, fd: int) -> bool:
        """Returns whether the last wait has found a file ready."""
        return any(one.fd == fd and one.came for one in self._files)


_LIBC = ctypes.PyDLL(None) if sys.platform == "linux" else None


class KeptFile:
    """A file of /proc that is read again and again from its beginning; empty where it cannot be opened."""

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._buffer = ctypes.create_string_buffer(128)
        if _LIBC is not None:
            self._fd = _LIBC.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC)
            self._pread = _LIBC.pread

    def read(self) -> bytes:
        """Returns up to 128 bytes of it as it is now."""
        if self._fd < 0:
            return b""
        count = self._pread(self._fd, self._buffer, 128, 0)
        return self._buffer.raw[:count] if count > 0 else b""

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Buffers(LocalData):  # type: ignore[misc]  # threading.local as Python has it
    """Buffers of a thread, used again and again: ctypes may make a type for each new one, which takes longer."""

    def __init__(self) -> None:
        self._free: dict[int, tuple[memoryview, int]] = {}

    def fill(self, size: int, filled: Callable[[int], int]) -> bytes:
        """Returns what ``filled`` puts at the address that it is given, as many bytes as it says.

        Meanwhile the buffer is nobody else's, not a signal handler's either.
        """
        room = 1 << max(6, (size - 1).bit_length())
        buffer = self._free.pop(room, None)
        if buffer is None:
            array = _KINDS.setdefault(room, ctypes.c_char * room)()
            buffer = memoryview(array).cast("B"), ctypes.addressof(array)
        count = filled(buffer[1])
        data = buffer[0][:count].tobytes() if count > 0 else b""
        self._free[room] = buffer
        return data


_KINDS: dict[int, type[ctypes.Array[ctypes.c_char]]] = {}
"""Kept here, because ctypes would make them again for each call."""
_BUFFERS = _Buffers()


class OwnMemory(Memory):
    """The memory of this process, as the kernel reads it: what is not there is missing, and nothing crashes.

    A forked child that goes on to use it would read its parent's.

    Raises:
        UnavailableError: the system does not show it.
    """

    def __init__(self) -> None:
        if _LIBC is None:
            raise UnavailableError(f"{sys.platform} does not show a process its memory")
        try:
            self._fd = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UnavailableError(f"/proc/self/mem: {error.strerror}") from error
        self._pread = _LIBC["pread"]  # not ``.pread``, which all share
        self._pread.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)
        self._pread.restype = ctypes.c_ssize_t

    def read(self, address: int, size: int) -> bytes:
        """Returns up to ``size`` bytes, fewer or none where there is no memory."""
        if not 0 < address <= sys.maxsize:
            return b""
        return _BUFFERS.fill(size, lambda buffer: self._pread(self._fd, buffer, size, address))

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self._fd)


def read_file(path: str, size: int = 4096) -> bytes:
    """Returns the beginning of a file of /proc or /sys, b"" where it cannot be read."""
    if _LIBC is None:
        return b""
    libc = _LIBC
    fd = libc.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        return b""
    data = _BUFFERS.fill(size, lambda buffer: libc.read(fd, ctypes.c_void_p(buffer), size))
    libc.close(fd)
    return data
