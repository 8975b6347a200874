"""All that is made of the stalls of a watch while it lasts: counted, printed, appended to a file, shown live."""

from collections.abc import Sequence
import contextlib
from dataclasses import replace
import json
from pathlib import Path
from typing import Protocol

from loopstall.analysis.culprits import StallSummary
from loopstall.instrument.inbox import Inbox
from loopstall.instrument.live.views import Views
from loopstall.records import DESCHEDULED, StallEvent, to_plain
from loopstall.report.stall_document import Session
from loopstall.report.text import printable

__all__ = ["StallAccount"]


class Helper(Protocol):
    """The reporter of stalls that have not ended."""

    def take(self) -> Sequence[tuple[StallEvent, bool]]:
        """Returns the stalls that were reported since the last time, and whether each goes on."""

    def last(self) -> Sequence[tuple[StallEvent, bool]]:
        """Returns what is still to be reported when the program has ended."""


class Said(Protocol):
    """The output for people."""

    def stall(self, seen: StallEvent, process: str) -> None:
        """Prints a stall, with the name of its process where that is not the program's own."""

    def hang(self, seen: StallEvent, process: str) -> None:
        """Prints a stall that goes on."""

    def summary(self, session: Session) -> None:
        """Prints the summary of the session."""

    def end(self, session: Session, report: Path | None, form: str) -> None:
        """Prints where the report is, and the command to go on with."""


class StallAccount:
    """All that is made of the stalls while the program runs: counted, printed, appended to a file.

    Args:
        inbox: where they come in; None where all come from the helper.
        helper: who reports those that have not ended.
        said: the output for people.
        views: those who see it live.
        fail_over_ns: the length of the program's own part from which a stall breaks the budget; 0 for none.
        lines: the file to which each is appended as JSON; None for none.
        hang_after_ns: from when on a stall is printed while it lasts, and then each time that it has doubled; 0 for
            never.
    """

    def __init__(
        self,
        inbox: Inbox | None,
        helper: Helper,
        said: Said,
        views: Views,
        *,
        fail_over_ns: int,
        lines: Path | None,
        hang_after_ns: int,
    ) -> None:
        self.summary = StallSummary()
        self.said = said
        self._inbox = inbox
        self._helper = helper
        self._fail_over_ns = fail_over_ns
        self._lines = lines
        self._views = views
        self._hang_after_ns = hang_after_ns
        self._printed_ns: dict[tuple[str, str], int] = {}  # of the stalls that go on, by process and thread
        self._program = 0

    def note(self, text: str) -> None:
        """Tells people something about the watch."""
        self._views.note(text)

    def started(self, program: int) -> None:
        """Hears which process the program is."""
        self._program = program

    def take(self) -> None:
        """Takes what has been handed over since the last time."""
        for told in self._inbox.take() if self._inbox is not None else ():
            self._count(told)
        self._hear(self._helper.take())
        self._views.tick()

    def take_last(self) -> None:
        """Takes the rest, when the program has ended: also the stall that it ended in."""
        self.take()
        self._hear(self._helper.last())

    def _hear(self, news: Sequence[tuple[StallEvent, bool]]) -> None:
        for told, goes_on in news:
            if goes_on:
                self._views.hang(told)
                if self._is_due(told):
                    with contextlib.suppress(OSError, ValueError):
                        self.said.hang(told, self._elsewhere(told))
            else:
                self._count(told)

    def _is_due(self, told: StallEvent) -> bool:
        """Returns whether a stall that goes on is to be printed: a live view hears of it sooner, and more often."""
        key = (told.process, told.thread)
        before_ns = self._printed_ns.get(key, 0)
        if before_ns > told.length_ns:  # of another one
            before_ns = 0
        due = 0 < max(self._hang_after_ns, 2 * before_ns) <= told.length_ns and not self._views.on_terminal
        if due:
            self._printed_ns[key] = told.length_ns
        return due

    def _count(self, told: StallEvent) -> None:
        limit_ns = self._fail_over_ns
        over = bool(limit_ns) and told.own_ns > limit_ns and told.stall.cause != DESCHEDULED
        seen = replace(told, over=over)
        self.summary.add(seen)
        self._views.stall(seen)
        for tell in (self._keep, self._print):  # a disk may be full, stderr be closed: what one of them cannot do,
            with contextlib.suppress(OSError, ValueError):  # the other still does
                tell(seen)

    def _keep(self, seen: StallEvent) -> None:
        if self._lines is not None:
            with self._lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(to_plain(seen)) + "\n")

    def _print(self, seen: StallEvent) -> None:
        if not self._views.on_terminal:
            self.said.stall(seen, self._elsewhere(seen))

    def _elsewhere(self, seen: StallEvent) -> str:
        """Returns the name of the process of a stall, "" for the program's own."""
        own = seen.process.rpartition(" ")[2] == str(self._program)
        return "" if own else printable(seen.process)
