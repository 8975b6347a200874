"""Stalls that were seen, in bounded memory: the longest in full, all of them counted."""

from collections import Counter
from collections.abc import Iterator

from loopstall.records import Stall
from loopstall.records.longest import Longest

__all__ = ["StallLog"]

_CULPRITS = 1000  # told apart; what comes after goes under one name
_OTHERS = "others"


class StallLog:
    """Keeps the longest stalls and counts them all.

    Args:
        kept: how many are kept in full.
    """

    def __init__(self, kept: int) -> None:
        self._longest = Longest[Stall](kept)
        self.count = 0
        self.total_ns = 0
        self.by_culprit: Counter[str] = Counter()
        self.ns_by_culprit: Counter[str] = Counter()
        self.ns_by_cause: Counter[str] = Counter()
        self.by_cause: Counter[str] = Counter()

    def add(self, stall: Stall) -> None:
        """Enters a stall; where the stall_log is full, the shortest goes."""
        self.count += 1
        self.total_ns += stall.duration_ns
        name = str(stall.culprit) if stall.culprit is not None else "unknown"
        if name not in self.by_culprit and len(self.by_culprit) >= _CULPRITS:
            name = _OTHERS
        self.by_culprit[name] += 1
        self.ns_by_culprit[name] += stall.duration_ns
        self.ns_by_cause[stall.cause] += stall.duration_ns
        self.by_cause[stall.cause] += 1
        self._longest.add(stall.duration_ns, stall)

    @property
    def dropped(self) -> int:
        """The number of stalls that are counted and not kept in full."""
        return self.count - len(self._longest)

    def __len__(self) -> int:
        return len(self._longest)

    def __iter__(self) -> Iterator[Stall]:
        """The kept ones, in the order of time."""
        return iter(sorted(self._longest, key=lambda stall: stall.start_ns))
