"""Stalls of a session as they come: by culprit, the longest in full, all of them counted, in bounded memory."""

from collections import Counter
import heapq

from loopstall.records import DESCHEDULED, Frame, Sighting
from loopstall.report.blame import Culprit

__all__ = ["Account"]

_KEPT = 1000


class Account:
    """What a session comes to.

    Args:
        kept: how many stalls are kept in full, the longest ones.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._heap: list[tuple[int, int, Sighting]] = []  # the shortest on top
        self._culprits: dict[Frame | None, Culprit] = {}
        self.count = 0
        self.total_ns = 0
        self.longest_ns = 0
        """Of those that the machine did not make."""
        self.over = 0
        """How many broke a budget."""
        self.causes: Counter[str] = Counter()
        self.processes: Counter[str] = Counter()

    def add(self, seen: Sighting) -> None:
        """Enters a stall."""
        self.count += 1
        self.total_ns += seen.length_ns
        self.over += seen.over
        if seen.stall.cause != DESCHEDULED:
            self.longest_ns = max(self.longest_ns, seen.length_ns)
        self.causes[seen.stall.cause] += 1
        self.processes[seen.process] += 1
        culprit = self._culprits.setdefault(seen.blamed, Culprit(frame=seen.blamed))
        culprit.add(seen.stall, seen.length_ns, seen.test or seen.process)
        item = (seen.length_ns, self.count, seen)
        if len(self._heap) < self._kept:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    @property
    def culprits(self) -> list[Culprit]:
        """By the line to blame, that with the longest stall first."""
        return sorted(self._culprits.values(), key=lambda item: -item.longest_ns)

    @property
    def longest(self) -> list[Sighting]:
        """Those that are kept in full, the longest first."""
        return [item[2] for item in sorted(self._heap, key=lambda item: (-item[0], item[1]))]
