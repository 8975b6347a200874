"""The counters of the loop's thread that tell why a stall happened, read where the system has them."""

from collections.abc import Callable
import ctypes
from dataclasses import dataclass
import gc
import os
from pathlib import Path
import platform
import time

from loopstall.clock import Clock

__all__ = ["Counters", "Reading", "syscall_of"]

_SYSCALLS = {
    "x86_64": {
        0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect", 45: "recvfrom", 47: "recvmsg",
        61: "wait4", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync", 202: "futex", 230: "clock_nanosleep",
        232: "epoll_wait", 247: "waitid", 257: "openat", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait",
    },
    "aarch64": {
        22: "epoll_pwait", 25: "fcntl", 32: "flock", 56: "openat", 63: "read", 64: "write", 72: "pselect6", 73: "ppoll",
        82: "fsync", 83: "fdatasync", 95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep",
        203: "connect", 207: "recvfrom", 212: "recvmsg", 260: "wait4",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters at one moment, in ns."""

    at_ns: int
    own_cpu_ns: int
    process_cpu_ns: int
    run_delay_ns: int | None
    gc_ns: int


class Counters:
    """Reads the counters of the thread that makes it, and times the garbage collector until closed.

    Args:
        thread_id: that thread's number in the system.
        clock: monotonic time in ns.
    """

    def __init__(self, thread_id: int, clock: Clock) -> None:
        self._clock = clock
        self._gc_ns = 0
        self._gc_began_ns = 0
        try:
            self._schedstat = os.open(f"/proc/self/task/{thread_id}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._schedstat = -1
        self._buffer = ctypes.create_string_buffer(128)
        self._pread = ctypes.PyDLL(None).pread if self._schedstat >= 0 else None
        self._own_cpu: Callable[[], int] = getattr(time, "thread_time_ns", lambda: 0)
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began_ns = self._clock()
        else:
            self._gc_ns += self._clock() - self._gc_began_ns

    def read(self) -> Reading:
        """Reads all of them."""
        delay: int | None = None
        if self._pread is not None:
            # CPU time, run delay, slices; see Documentation/scheduler/sched-stats.rst of the kernel. Read with the GIL
            # kept: os.pread gives it up, and where threads compute the loop would wait for it each time.
            count = self._pread(self._schedstat, self._buffer, 128, 0)
            delay = int(self._buffer.raw[:count].split()[1]) if count > 0 else None
        return Reading(
            at_ns=self._clock(),
            own_cpu_ns=self._own_cpu(),
            process_cpu_ns=time.process_time_ns(),
            run_delay_ns=delay,
            gc_ns=self._gc_ns,
        )

    def close(self) -> None:
        """Puts everything back."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
        if self._schedstat >= 0:
            os.close(self._schedstat)
            self._schedstat, self._pread = -1, None


def syscall_of(thread_id: int) -> str:
    """Returns the name of the system call that a thread of this process waits in, "" where none is to be seen."""
    try:
        text = Path(f"/proc/self/task/{thread_id}/syscall").read_text(encoding="ascii")
    except OSError:
        return ""
    number = text.split(maxsplit=1)[0]
    if not number.isdigit():  # "running"
        return ""
    return _SYSCALLS.get(platform.machine(), {}).get(int(number), f"system call {number}")
