"""The stalls of every event loop of the process, by the test in which they happened."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass, field, replace
import os
import threading

from loopstall.monitor import everywhere
from loopstall.monitor.pool import MonitorPool, telling
from loopstall.records import DESCHEDULED, Stall, StallEvent
from loopstall.records.clock import NS_PER_S, now_ns

__all__ = ["Recorder", "Stalls"]


@dataclass(slots=True, kw_only=True)
class Stalls:
    """The stalls during a test; iterating gives them all, those that the machine made among them.

    Where the test opens windows, only stalls within them count.
    """

    began_ns: int
    ended_ns: int = 0
    threshold_ns: int = 1
    _found: list[tuple[int, StallEvent]] = field(default_factory=list)
    _windows: list[tuple[str, int, int]] = field(default_factory=list)

    @contextlib.contextmanager
    def window(self, name: str = "") -> Iterator["Stalls"]:
        """Counts only the stalls while this is entered, or within other windows of the test.

        Args:
            name: for the reader.
        """
        began_ns = now_ns()
        try:
            yield self
        finally:
            self._windows.append((name, began_ns, now_ns()))

    def add(self, began_ns: int, seen: StallEvent) -> None:
        """Notes a stall.

        Args:
            began_ns: when it began, by this module's clock.
            seen: the stall.
        """
        self._found.append((began_ns, seen))

    def __iter__(self) -> Iterator[Stall]:
        return (seen.stall for seen in self.counted())

    def __len__(self) -> int:
        return len(self.counted())

    def __getitem__(self, index: int) -> Stall:
        return self.counted()[index].stall

    def counted(self) -> list[StallEvent]:
        """Returns the stalls that count, each with how much of it lies within the test or its windows."""
        spans = [(began_ns, ended_ns) for _, began_ns, ended_ns in self._windows]
        spans = spans or [(self.began_ns, self.ended_ns or now_ns())]
        found: list[StallEvent] = []
        for began_ns, seen in list(self._found):
            ended_ns = began_ns + seen.stall.duration_ns
            within = sum(max(0, min(end, ended_ns) - max(begin, began_ns)) for begin, end in spans)
            if within >= self.threshold_ns:
                found.append(replace(seen, length_ns=within))
        return found

    @property
    def own(self) -> list[StallEvent]:
        """The stalls that count and that the machine did not make."""
        return [seen for seen in self.counted() if seen.stall.cause != DESCHEDULED]


class Recorder:
    """Watches every event loop of the process, and hands each stall to the test that runs.

    Args:
        threshold_s: the span without progress from which there is a stall, in seconds.
        sampler: who looks at the loops, as for ``loopstall.watch``.
    """

    def __init__(self, threshold_s: float, *, sampler: str | None = None) -> None:
        self._threshold_ns = round(threshold_s * NS_PER_S)
        self._lock = threading.Lock()
        self._open: list[Stalls] = []
        self._pool = MonitorPool(telling(self._add, threshold_ns=self._threshold_ns, process=_process, sampler=sampler))
        self._on = False

    def start(self) -> None:
        """Begins, if it has not."""
        if not self._on:
            self._on = True
            everywhere.add(self._pool.begin, self._pool.join)

    def stop(self) -> None:
        """Ends, and leaves nothing patched and no thread behind."""
        everywhere.discard(self._pool.begin)
        self._on = False
        self._pool.stop()

    @property
    def faults(self) -> tuple[str, ...]:
        """Sentences that say what could not be done."""
        return self._pool.faults

    @contextlib.contextmanager
    def during(self) -> Iterator[Stalls]:
        """Gathers the stalls of what runs while this is entered."""
        found = Stalls(began_ns=now_ns(), threshold_ns=self._threshold_ns)
        with self._lock:
            self._open.append(found)
        try:
            yield found
        finally:
            found.ended_ns = now_ns()
            with self._lock:
                self._open.remove(found)

    def _add(self, seen: StallEvent, began_ns: int) -> None:
        with self._lock:
            for found in self._open:
                found.add(began_ns, seen)


def _process() -> str:
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'pytest')} {os.getpid()}"
