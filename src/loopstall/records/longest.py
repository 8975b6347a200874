"""The longest of what comes along, in bounded memory."""

from collections.abc import Iterator
import heapq
from typing import Generic, TypeVar

__all__ = ["Longest"]

_T = TypeVar("_T")


class Longest(Generic[_T]):
    """Keeps the longest items; of equally long ones, those that came last.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._heap: list[tuple[int, int, _T]] = []  # the shortest on top
        self._count = 0

    def add(self, length: int, item: _T) -> None:
        """Enters an item; where there are as many as are kept, the shortest goes."""
        self._count += 1  # also what tells equally long items apart: they need not be comparable
        entry = (length, self._count, item)
        if len(self._heap) < self._kept:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[_T]:
        """The kept ones, the longest first, in the order in which they came where they are equally long."""
        return iter([item for _, _, item in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))])
