"""The counters of the loop's thread that tell why a stall happened, read where the system has them."""

from collections.abc import Callable, Iterator
from functools import cache
import gc
import os
import time
from typing import NamedTuple

from loopstall.monitor.kernel import KeptFile, read_file
from loopstall.monitor.syscalls import GIL, wait_in
from loopstall.monitor.threads import get_native_id
from loopstall.records.clock import NS_PER_MS, Clock

__all__ = ["CounterReading", "Counters", "Throttle", "cpu_of", "futex_of", "gil_futex", "syscall_of"]

_SAME_FUTEX_BYTES = 192  # two condition variables and two mutexes of glibc side by side
_SHORT_LIVED_NS = 50 * NS_PER_MS  # what a loop in a thread of its own may live for without its file of /proc
_PER_THREAD_CLOCK = 6  # CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED of the kernel's posix-timers.h


class CounterReading(NamedTuple):
    """The counters at one moment, in ns.

    ``schedstat`` is as the kernel writes it, and read later if at all; b"" where it was not asked for, or does not
    exist.
    """

    at_ns: int
    own_cpu_ns: int
    process_cpu_ns: int
    gc_ns: int
    schedstat: bytes

    @property
    def run_delay_ns(self) -> int | None:
        """The time that the thread has been ready without a CPU, None where the system does not record it."""
        fields = self.schedstat.split()  # CPU time, run delay, slices: the kernel's sched-stats.rst
        return int(fields[1]) if len(fields) > 1 else None


class Counters:
    """Reads the counters of the thread that attaches it, and times the garbage collector from then on until closed.

    Args:
        clock: monotonic time in ns.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gc_ns = 0
        self._gc_began_ns = 0
        self._thread_id = 0
        self._opens_ns = 0
        self._schedstat: KeptFile | None = None
        self._own_cpu: Callable[[], int] = getattr(time, "thread_time_ns", lambda: 0)

    def attach(self, *, spares: bool = False) -> None:
        """Counts for this thread from now on.

        Args:
            spares: leaves ``schedstat`` out of a thread that is not the main one, until the loop has run for a while
                or ``read`` is asked for all. To open that file, and to end a thread that has it open, takes longer
                than the rest of a short loop.
        """
        if self.collected not in gc.callbacks:
            gc.callbacks.append(self.collected)
        thread_id = get_native_id()
        if thread_id != self._thread_id:
            self._close_file()
            self._thread_id = thread_id
            self._opens_ns = self._clock() + _SHORT_LIVED_NS if spares and thread_id != os.getpid() else 0

    def _close_file(self) -> None:
        schedstat, self._schedstat = self._schedstat, None
        if schedstat is not None:
            schedstat.close()

    def collected(self, phase: str, _info: dict[str, int]) -> None:
        """Counts a collection; the garbage collector calls it at its start and at its end."""
        if phase == "start":
            self._gc_began_ns = self._clock()
        else:
            self._gc_ns += self._clock() - self._gc_began_ns

    def read(self, *, whole: bool = False) -> CounterReading:
        """Reads them, ``whole`` for sure; else without ``schedstat`` where that is spared."""
        own_ns = self._own_cpu()
        if self._schedstat is None and self._thread_id and (whole or self._clock() >= self._opens_ns):
            self._schedstat = KeptFile(f"/proc/self/task/{self._thread_id}/schedstat")
        schedstat = b"" if self._schedstat is None else self._schedstat.read()
        return CounterReading(self._clock(), own_ns, time.process_time_ns(), self._gc_ns, schedstat)

    def close(self) -> None:
        """Puts everything back."""
        if self.collected in gc.callbacks:
            gc.callbacks.remove(self.collected)
        self._thread_id = 0
        self._close_file()


class Throttle:
    """Reads the time that the CPU quota of this process' control group has stopped it, where it has one.

    Run delay does not grow while a group is throttled; cpu.stat of the group does.
    """

    def __init__(self, root: str = "/sys/fs/cgroup", groups: str = "/proc/self/cgroup") -> None:
        self._path = _limited(root, groups)
        self._before_ns = self._total_ns()

    def _total_ns(self) -> int:
        if not self._path:
            return 0
        for line in read_file(f"{self._path}/cpu.stat").decode("ascii", "replace").splitlines():
            name, _, value = line.partition(" ")
            if name in {"throttled_usec", "throttled_time"}:  # version 2 in µs, version 1 in ns
                return int(value) * (1000 if name == "throttled_usec" else 1)
        return 0

    def since_last_ns(self) -> int:
        """Returns the time in ns since this was last asked."""
        before, self._before_ns = self._before_ns, self._total_ns()
        return self._before_ns - before


@cache
def _limited(root: str, groups: str) -> str:
    """Returns the folder of the innermost group that has a CPU quota, "" where none has; asked once a process."""
    return next(filter(_is_limited, _candidates(root, groups)), "")


def _candidates(root: str, groups: str) -> Iterator[str]:
    """Yields the folders of this process' groups and those above them, innermost first."""
    for line in read_file(groups).decode("utf-8", "replace").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = f"{root}/{controllers}" if controllers else root
        while True:
            yield f"{base}{path.rstrip('/')}"
            if path in {"/", ""}:
                break
            path = path.rsplit("/", 1)[0]


def _is_limited(folder: str) -> bool:
    """Returns whether a group has a CPU quota."""
    new = read_file(f"{folder}/cpu.max").split()
    old = read_file(f"{folder}/cpu.cfs_quota_us").split()
    return bool((new and new[0] != b"max") or (old and not old[0].startswith(b"-")))


def syscall_of(thread_id: int, gil_address: int = 0) -> str:
    """Returns the name of the system call that a thread of this process waits in, "" where the system does not tell.

    Args:
        thread_id: the thread's number in the system.
        gil_address: where in memory threads wait for the GIL, as ``futex_of`` tells it; such a wait is named ``GIL``.

    A thread that waits for nothing is ``RUNNING``.
    """
    name, argument = wait_in(read_file(f"/proc/self/task/{thread_id}/syscall", 256))
    return GIL if name == "futex" and gil_address and abs(argument - gil_address) < _SAME_FUTEX_BYTES else name


def futex_of(thread_id: int) -> int:
    """Returns the address of what a thread of this process waits for, 0 where it waits for none."""
    name, argument = wait_in(read_file(f"/proc/self/task/{thread_id}/syscall", 256))
    return argument if name == "futex" else 0


class _GilFutex:
    """The futex in which the threads of this process wait for the GIL; ``address`` is 0 until it is known."""

    address = 0


gil_futex = _GilFutex()


def cpu_of(thread_id: int) -> int:
    """Returns the CPU time in ns of a thread of this process, 0 where the system does not tell.

    Asks the thread's own clock, which is up to date also while that thread runs; its file in /proc lags by a tick.
    """
    try:
        return time.clock_gettime_ns(~thread_id << 3 | _PER_THREAD_CLOCK)
    except (OSError, AttributeError):
        return 0
