"""``loopstall watch --pid``: the loops of a process that runs already."""

from collections.abc import Mapping
import math
import time
from typing import Any, Protocol

from loopstall.analysis.culprits import StallSummary
from loopstall.errors import InconclusiveError, InputError, Terminated
from loopstall.instrument.attach import interval_of, watch_process
from loopstall.monitor.outside.attached import Attached
from loopstall.monitor.unavailable import UnavailableError
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_S
from loopstall.records.units import format_ns
from loopstall.report.dump_text import children_told
from loopstall.report.escape import printable
from loopstall.report.stall_document import Session

__all__ = ["Account", "Handed", "attached", "attend"]


class Handed:
    """Stalls that are handed over within this process, where those of a program come through files and its helper."""

    def __init__(self) -> None:
        self._events: list[tuple[StallEvent, bool]] = []

    def add(self, seen: StallEvent, lasts: bool) -> None:  # noqa: FBT001  # a callback
        """Hands one over, and says whether it goes on."""
        self._events.append((seen, lasts))

    def take(self) -> list[tuple[StallEvent, bool]]:
        """Returns what has been handed over since the last time, each with whether it goes on."""
        events, self._events = self._events, []
        return events

    def last(self) -> list[tuple[StallEvent, bool]]:
        """Returns nothing: all has been taken."""
        return []


class Account(Protocol):
    """The account of a watch, which counts and prints stalls."""

    summary: StallSummary

    def take(self) -> None:
        """Takes what has been handed over."""

    def started(self, program: int) -> None:
        """Hears which process it is."""

    def note(self, text: str) -> None:
        """Tells people something about the watch."""


def attend(pid: int, options: Mapping[str, Any], handed: Handed, account: Account) -> tuple[Session, int]:
    """Watches a process until it ends, the time is over, or somebody ends the command.

    Args:
        pid: its number.
        options: the command's: ``threshold``, ``hang_after``, and ``duration``, None for no limit; all in seconds.
        handed: takes the stalls.
        account: counts and prints them.

    Returns:
        The session to report, and the exit code: 5 where no loop was found.

    Raises:
        InputError: the process cannot be looked at, and why.
    """
    names = ("threshold", "hang_after", "duration")
    threshold_ns, hang_after_ns, duration_ns = (round((options[name] or 0) * NS_PER_S) for name in names)
    process = attached(pid)
    account.started(pid)
    telling, interval, status = (
        _Telling(process, handed, account),
        interval_of(threshold_ns),
        0,
    )
    python = ".".join(map(str, process.version))
    account.note(f"watching process {pid}, Python {python}, with a look each {format_ns(interval)}; Ctrl-C ends it")
    used_ns, began = time.thread_time_ns(), time.time()
    try:
        ended = watch_process(
            process,
            threshold_ns=threshold_ns,
            hang_after_ns=hang_after_ns,
            duration_ns=duration_ns,
            found=telling.found,
            told=telling.told,
            meanwhile=account.take,
        )
    except KeyboardInterrupt as error:
        ended = "The watch was interrupted."
        status = 128 + error.number if isinstance(error, Terminated) else 0
    finally:
        process.close()
    if not telling.has_found:
        ended += " No event loop was found in it: nothing was watched."
        status = status or InconclusiveError.exit_code
    share = (time.thread_time_ns() - used_ns) / NS_PER_S / (time.time() - began)
    cost = f"Lengths are exact to {format_ns(interval)}; the looks took {share:.1%} of a CPU."
    account.note(f"{ended} {cost}")
    return _session(process, account, min(began, telling.since), threshold_ns, (ended, cost)), status


def _session(process: Attached, account: Account, began: float, threshold_ns: int, about: tuple[str, ...]) -> Session:
    """Returns what is to be reported; a loop that was stuck already has been for longer than it was watched."""
    return Session(
        title=printable(f"loopstall watch --pid {process.pid}: {process.command}"),
        summary=account.summary,
        watched_ns=round((time.time() - began) * NS_PER_S),
        began=began,
        threshold_ns=threshold_ns,
        about=about,
    )


def attached(pid: int) -> Attached:
    """Returns a process that is looked at.

    Raises:
        InputError: it cannot be looked at, and why.
    """
    try:
        return Attached(pid)
    except UnavailableError as error:
        raise InputError(str(error)) from error


class _Telling:
    """The output of the watch while it lasts; ``has_found`` says whether a loop was met.

    ``since`` is when the first stall began.
    """

    def __init__(self, process: Attached, handed: Handed, account: Account) -> None:
        self.since = math.inf
        self.has_found = False
        self._process = process
        self._handed = handed
        self._account = account

    def found(self, thread_id: int, kind: str) -> None:
        """Says that a loop has been found, or none."""
        if kind:
            self.has_found = True
            self._account.note(f"thread {thread_id} runs an event loop ({kind})")
        else:
            self._account.note(f"no event loop runs in it so far{children_told(self._process.children)}")

    def told(self, seen: StallEvent, lasts: bool) -> None:  # noqa: FBT001  # a callback
        """Hands a stall over."""
        self.since = min(self.since, seen.at)
        self._handed.add(seen, lasts)
        self._account.take()
