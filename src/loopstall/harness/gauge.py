"""The course of a run: CPU, memory and the jobs in flight, in bounded memory.

Hands on ``Gauge``, which reads CPU and memory of this process where the loop's heartbeat passes by, so that nothing
wakes for it, and ``Flow``, which counts jobs after the clock has stopped.
"""

from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise
import os
import time

from loopstall.records import Course
from loopstall.records.clock import NS_PER_MS

__all__ = ["Flow", "Gauge", "resident_bytes"]

_POINTS = 120  # of a course, after which every second one is dropped
_INTERVAL_NS = 20 * NS_PER_MS


class Gauge:
    """Reads what this process has computed and what memory it has, every 20 ms at first, when it is passed by.

    A loop that is blocked passes nobody by: the next point then says what the whole of that time took. A reading takes
    some 10 µs.

    Args:
        cpu: returns the CPU time of this process in ns.
        memory: returns its resident memory in bytes; 0 where the system does not tell.
    """

    def __init__(
        self, *, cpu: Callable[[], int] = time.process_time_ns, memory: Callable[[], int] | None = None
    ) -> None:
        self._cpu = cpu
        self._memory = memory or resident_bytes
        self._points: list[tuple[int, int, int]] = []
        self._interval_ns = _INTERVAL_NS
        self._due_ns = 0

    def pass_by(self, now_ns: int) -> None:
        """Reads, if it is time to.

        Args:
            now_ns: the time, on whatever clock.
        """
        if now_ns >= self._due_ns:
            self.read(now_ns)

    def read(self, now_ns: int) -> None:
        """Reads now; a reading soon after another takes its place, for a share of next to no time says nothing."""
        if len(self._points) > 1 and now_ns - self._points[-1][0] < self._interval_ns // 2:
            del self._points[-1]
        self._points.append((now_ns, self._cpu(), self._memory()))
        if len(self._points) > _POINTS:
            del self._points[1::2]
            self._interval_ns *= 2
        self._due_ns = now_ns + self._interval_ns

    def courses(self, started_ns: int) -> tuple[Course, Course]:
        """Returns CPU as a share of one core, and memory in bytes.

        Args:
            started_ns: what times are counted from.
        """
        spans = [(one, other) for one, other in pairwise(self._points) if other[0] > one[0]]
        at_ns = tuple(other[0] - started_ns for _, other in spans)
        shares = tuple(round((other[1] - one[1]) / (other[0] - one[0]), 3) for one, other in spans)
        sizes = tuple(other[2] for _, other in spans)
        return Course(at_ns=at_ns, values=shares), Course(at_ns=at_ns, values=sizes) if any(sizes) else Course()


class Flow:
    """Counts how many jobs are in flight over time: those that were due and have not ended.

    Args:
        width_ns: the span that a point stands for at first; it doubles when there are too many.
    """

    def __init__(self, *, width_ns: int = NS_PER_MS) -> None:
        self._width_ns = width_ns
        self._changes: Counter[int] = Counter()

    def add(self, due_ns: int, end_ns: int) -> None:
        """Counts a job, by times from the start of the measurement."""
        self._changes[max(0, due_ns) // self._width_ns] += 1
        self._changes[max(0, end_ns) // self._width_ns] -= 1
        while len(self._changes) > _POINTS:
            merged: Counter[int] = Counter()
            for slot, change in self._changes.items():
                merged[slot // 2] += change
            self._changes = merged
            self._width_ns *= 2

    def course(self) -> Course:
        """Returns how many were in flight at the end of each span in which that changed."""
        slots = sorted(self._changes)
        counts = accumulate(self._changes[slot] for slot in slots)
        return Course(at_ns=tuple((slot + 1) * self._width_ns for slot in slots), values=tuple(counts))


def resident_bytes() -> int:
    """Returns the resident memory of this process in bytes, 0 where the system does not tell."""
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(statm, 64).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    finally:
        os.close(statm)
