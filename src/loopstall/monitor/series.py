"""Bounded memory for unbounded streams of times: counts by value, and peaks over time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopstall.records import Series

__all__ = ["Peaks", "Tally"]

_PRECISION_BITS = 8  # 2**-8: a value is kept to better than half a percent
_CAPACITY = 400  # points of a series: as many as a plot shows side by side


class Tally:
    """Counts times by value, rounded down to 8 significant bits, so that memory does not grow with the count."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, value_ns: int) -> None:
        """Counts one value; what is below zero counts as zero."""
        value_ns = max(value_ns, 0)
        shift = value_ns.bit_length() - _PRECISION_BITS
        if shift > 0:
            value_ns = value_ns >> shift << shift
        counts = self._counts
        counts[value_ns] = counts.get(value_ns, 0) + 1

    def counts(self) -> tuple[tuple[int, int], ...]:
        """Returns (value in ns, how often) in rising order."""
        return tuple(sorted(self._counts.items()))


class Peaks:
    """Keeps the greatest value of each span of time, and doubles the span when it runs out of room."""

    __slots__ = ("_buckets", "_capacity", "_count", "_width_ns")

    def __init__(self, *, capacity: int = _CAPACITY, width_ns: int = 1_000_000) -> None:
        self._capacity = capacity
        self._width_ns = width_ns
        self._buckets: dict[int, int] = {}
        self._count = 0

    def add(self, at_ns: int, value_ns: int) -> None:
        """Notes a value.

        Args:
            at_ns: when, from the start of the measurement.
            value_ns: what was measured.
        """
        self._count += 1
        buckets = self._buckets
        slot = at_ns // self._width_ns
        known = buckets.get(slot)
        if known is None or known < value_ns:
            buckets[slot] = value_ns
            if len(buckets) > self._capacity:
                self._halve()

    def _halve(self) -> None:
        merged: dict[int, int] = {}
        for slot, value in self._buckets.items():
            merged[slot // 2] = max(value, merged.get(slot // 2, value))
        self._buckets = merged
        self._width_ns *= 2

    def series(self) -> "Series":
        """Returns what was kept, in the order of time."""
        points = sorted(self._buckets.items())
        from loopstall.records import Series  # whoever counts alone needs none

        return Series(
            width_ns=self._width_ns,
            at_ns=tuple(slot * self._width_ns for slot, _ in points),
            peak_ns=tuple(value for _, value in points),
            count=self._count,
        )
