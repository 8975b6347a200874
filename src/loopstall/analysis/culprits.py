"""Stalls of a session as they come: by culprit, the longest in full, all of them counted, in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopstall.records import DESCHEDULED, Frame, Stall, StallEvent
from loopstall.records.longest import Longest

if TYPE_CHECKING:
    from loopstall.records import Run

__all__ = ["Culprit", "StallSummary", "culprits"]


@dataclass(slots=True, kw_only=True)
class Culprit:
    """All the stalls of one line, and how many of them in which place: a cell, a test, a process."""

    frame: Frame | None
    count: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    longest: Stall | None = None
    causes: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    def add(self, stall: Stall, length_ns: int, place: str) -> None:
        """Counts one more."""
        self.count += 1
        self.total_ns += length_ns
        self.longest_ns = max(self.longest_ns, length_ns)
        self.causes[stall.cause] += length_ns
        self.places[place] += 1
        if self.longest is None or _tells(stall) > _tells(self.longest):
            self.longest = stall

    @property
    def cause(self) -> str:
        """The cause of most of its time."""
        return self.causes.most_common(1)[0][0]


def _tells(stall: Stall) -> tuple[bool, int]:
    return bool(stall.stack), stall.duration_ns


def culprits(samples: "Iterable[tuple[int, Sequence[Run]]]") -> list[Culprit]:
    """Gathers the stalls of a matrix by the line to blame, the most stalled time first.

    Args:
        samples: (number of the cell, its runs).
    """
    found: dict[Frame | None, Culprit] = {}
    for number, runs in samples:
        for stall in (stall for run in runs if run.measured is not None for stall in run.measured.stalls):
            frame = stall.holder or stall.culprit  # where another thread held the GIL, it is that one's line
            found.setdefault(frame, Culprit(frame=frame)).add(stall, stall.duration_ns, str(number))
    return sorted(found.values(), key=lambda item: -item.total_ns)


_KEPT = 1000


class StallSummary:
    """Counts and culprits of a session's stalls.

    Args:
        kept: the number of stalls that are kept in full, the longest ones.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._longest = Longest[StallEvent](kept)
        self._culprits: dict[Frame | None, Culprit] = {}
        self.count = 0
        self.total_ns = 0
        self.longest_ns = 0
        """Of those that the machine did not make."""
        self.over = 0
        """The number of stalls that broke a budget."""
        self.causes: Counter[str] = Counter()
        self.processes: Counter[str] = Counter()

    @classmethod
    def restored(
        cls,
        *,
        count: int,
        total_ns: int,
        longest_ns: int,
        over: int,
        causes: Mapping[str, int],
        processes: Mapping[str, int],
        culprits: Iterable[Culprit],
        longest: Iterable[StallEvent],
    ) -> "StallSummary":
        """Returns the summary that a report was made of; the arguments are what the report says of it."""
        made = cls()
        made.count, made.total_ns, made.longest_ns, made.over = count, total_ns, longest_ns, over
        made.causes.update(causes)
        made.processes.update(processes)
        made._culprits = {item.frame: item for item in culprits}
        for seen in longest:
            made._longest.add(seen.length_ns, seen)
        return made

    def add(self, seen: StallEvent) -> None:
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
        self._longest.add(seen.length_ns, seen)

    @property
    def culprits(self) -> list[Culprit]:
        """The culprits by line; the line with the longest stall comes first."""
        return sorted(self._culprits.values(), key=lambda item: -item.longest_ns)

    @property
    def longest(self) -> list[StallEvent]:
        """The stalls that are kept in full, the longest first."""
        return list(self._longest)
