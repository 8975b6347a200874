"""Stalls by culprit: those of a matrix, and of a session as they come, all of them counted, in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import TYPE_CHECKING

from loopstall.records import DESCHEDULED, Frame, Stall, StallEvent
from loopstall.records.frames import is_librarys, library_of
from loopstall.records.longest import Longest

if TYPE_CHECKING:
    from loopstall.records import Run

__all__ = ["Blame", "Culprit", "StallSummary", "blame", "culprits", "work_of"]

_UNNAMED_TASK = re.compile(r"(Task-)?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The thing that a stall is put down to: a line of the user's, or else a library and what it was doing.

    Args:
        frame: the user's line; None where no line of the user's was seen.
        library: the library that was seen instead, "" for none.
        work: the route, the coroutine or the task that it worked for, "" where that is not known.
    """

    frame: Frame | None
    library: str = ""
    work: str = ""


def blame(stall: Stall) -> Blame:
    """Says what a stall is put down to; where another thread held the GIL, it is that one's line."""
    frame = stall.holder or stall.culprit
    if frame is None or not is_librarys(frame.file):
        return Blame(frame=frame)
    return Blame(frame=None, library=library_of(frame.file), work=work_of(stall))


def work_of(stall: Stall) -> str:
    """Names what the loop was running: the route or what else the program says of it, else the coroutine or the task.

    The names that asyncio gives to tasks are left out: they are numbers, and each task has another.
    """
    if stall.label or stall.coroutine:
        return stall.label or stall.coroutine
    return "" if _UNNAMED_TASK.fullmatch(stall.task) else stall.task


@dataclass(slots=True, kw_only=True)
class Culprit:
    """All the stalls that are put down to the same, and how many of them in which place: a cell, a test, a process."""

    blame: Blame
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
    def frame(self) -> Frame | None:
        """The user's line, None where it is no line of the user's."""
        return self.blame.frame

    @property
    def cause(self) -> str:
        """The cause of most of its time."""
        return self.causes.most_common(1)[0][0]


def _tells(stall: Stall) -> tuple[bool, int]:
    return bool(stall.stack), stall.duration_ns


def culprits(samples: "Iterable[tuple[int, Sequence[Run]]]") -> list[Culprit]:
    """Gathers the stalls of a matrix by what is to blame, the user's lines with the most stalled time first.

    Args:
        samples: (number of the cell, its runs).
    """
    found: dict[Blame, Culprit] = {}
    for number, runs in samples:
        for stall in (stall for run in runs if run.measured is not None for stall in run.measured.stalls):
            to_blame = blame(stall)
            found.setdefault(to_blame, Culprit(blame=to_blame)).add(stall, stall.duration_ns, str(number))
    return sorted(found.values(), key=lambda item: (item.frame is None, -item.total_ns))


_KEPT = 1000


class StallSummary:
    """Counts and culprits of a session's stalls.

    Args:
        kept: the number of stalls that are kept in full, the longest ones.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._longest = Longest[StallEvent](kept)
        self._culprits: dict[Blame, Culprit] = {}
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
        made._culprits = {item.blame: item for item in culprits}
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
        to_blame = blame(seen.stall)
        culprit = self._culprits.setdefault(to_blame, Culprit(blame=to_blame))
        culprit.add(seen.stall, seen.length_ns, seen.test or seen.process)
        self._longest.add(seen.length_ns, seen)

    @property
    def culprits(self) -> list[Culprit]:
        """The culprits: the user's lines, that with the longest stall first, then what is no line of theirs."""
        return sorted(self._culprits.values(), key=lambda item: (item.frame is None, -item.longest_ns))

    @property
    def longest(self) -> list[StallEvent]:
        """The stalls that are kept in full, the longest first."""
        return list(self._longest)
