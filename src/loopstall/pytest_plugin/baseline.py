"""Accepted stalls of tests: those of today, written down once; what is new or worse fails from then on."""

from collections.abc import Sequence
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from loopstall.records import StallEvent
from loopstall.records.units import counted, format_ns

if TYPE_CHECKING:
    from loopstall.gate.accepted import Accepted

__all__ = ["Baseline"]


_MARGIN = 1.5
"""The margin over the measured value that is accepted: the same work takes longer on the next machine."""
_DAYS = 90
_REASON = "there when the budget was introduced"
_WHO = "pytest --stall-baseline write"


class Baseline:
    """The entries about tests in the file of what is accepted.

    Args:
        path: of the file.
        writes: whether what breaks a budget is added to it.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        self.writes = writes
        self._path = path
        self._entries = _entries(path) if path.exists() else ()
        self._today = dt.date.today()  # noqa: DTZ011  # a local date
        self._noted: dict[tuple[str, str], int] = {}

    def sift(self, found: Sequence[StallEvent]) -> tuple[list[StallEvent], list[str]]:
        """Returns the stalls that are accepted, and why others are not any more."""
        covered: list[StallEvent] = []
        missed: list[str] = []
        for seen in found:
            entries = [entry for entry in self._entries if entry.covers_stall(seen.test, seen.blamed)]
            if any(seen.own_ns <= entry.budget and self._today <= entry.until for entry in entries):
                covered.append(seen)
            elif entries:
                best = max(entries, key=lambda entry: (self._today <= entry.until, entry.budget))
                missed.append(
                    f"{format_ns(best.budget)} of it were accepted until {best.until} in {self._path.name}"
                    f" ({best.reason})"
                )
        return covered, list(dict.fromkeys(missed))

    def note(self, seen: StallEvent) -> None:
        """Remembers a stall that broke a budget."""
        frame = seen.blamed
        root = self._path.parent
        if frame is None:
            key = (seen.test, "")
        else:
            file = Path(frame.file)
            name = file.relative_to(root).as_posix() if file.is_relative_to(root) else "/".join(file.parts[-2:])
            key = ("*", f"{name} in {frame.function}")
        self._noted[key] = max(self._noted.get(key, 0), seen.own_ns)

    def write(self) -> str:
        """Adds what was noted to the file, and says so.

        Raises:
            InputError: it cannot be written.
        """
        if not self._noted:
            return f"nothing broke the budget: {self._path.name} stays as it is"
        from loopstall.gate.accepted import Accepted, append  # for those who ask for it
        from loopstall.records import STALL

        until = self._today + dt.timedelta(days=_DAYS)
        entries = [
            Accepted(
                what=STALL, test=test, where=where, budget=longest_ns * _MARGIN, reason=_REASON, who=_WHO, until=until
            )
            for (test, where), longest_ns in sorted(self._noted.items())
        ]
        append(self._path, entries)
        return (
            f"{counted(len(entries), 'entry', 'entries')} added to {self._path.name}, with 50% more than was measured,"
            f" until {until}:"
            " commit that file; from now on only what is new or worse fails"
        )


def _entries(path: Path) -> "tuple[Accepted, ...]":
    from loopstall.gate.accepted import read  # where there is a file

    return tuple(entry for entry in read(path) if entry.test)
