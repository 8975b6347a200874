"""A watch at one moment: the lag of each loop over the last minute, what blocks it now, and who has blocked so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from loopstall.analysis.culprits import Culprit
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_S, by_second

__all__ = ["Blocked", "LiveView", "LoopView", "lags_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A stall that goes on.

    Args:
        seen: the newest report of it.
        for_ns: for how long it has lasted by now.
    """

    seen: StallEvent
    for_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopView:
    """An event loop at one moment.

    Args:
        process: name and number of its process.
        thread: the name of its thread, "" where that is not known.
        runs: whether it runs now; None where that is not known.
        floor_ns: the least lag that is seen.
        lags_ns: the longest that a due callback waited, at most, in each of the last seconds, the newest last: 0 for
            less than the floor, None where nobody watched.
        blocked: what blocks it now, None for nothing.
    """

    process: str
    thread: str
    runs: bool | None
    floor_ns: int
    lags_ns: tuple[int | None, ...]
    blocked: Blocked | None = None

    @property
    def now_ns(self) -> int | None:
        """The time that it is blocked by now, else the longer lag of the last two seconds; None for unknown."""
        if self.blocked is not None:
            return self.blocked.for_ns
        return max((lag for lag in self.lags_ns[-2:] if lag is not None), default=None)

    @property
    def longest_ns(self) -> int | None:
        """The longest lag of all the seconds."""
        return max((lag for lag in self.lags_ns if lag is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """A watch at one moment.

    Args:
        title: the name of the watched program.
        at: when, in seconds since 1970, UTC.
        watched_ns: for how long it has been watched.
        threshold_ns: the span without progress from which there is a stall.
        count: the number of stalls.
        total_ns: the time in them.
        longest_ns: the longest of those that the machine did not make.
        loops: those that are known, the blocked ones first, then those with the longest lag.
        culprits: the worst lines so far, the one with the longest stall first.
        latest: the stalls that have ended last, the newest first.
        notes: sentences about the watch.
        address: of the page that shows the same, "" for none.
        output: the last lines of the program's output, where the terminal is the view's.
    """

    title: str
    at: float
    watched_ns: int
    threshold_ns: int
    count: int
    total_ns: int
    longest_ns: int
    loops: tuple[LoopView, ...]
    culprits: tuple[Culprit, ...]
    latest: tuple[StallEvent, ...]
    notes: tuple[str, ...] = ()
    address: str = ""
    output: tuple[str, ...] = ()


def lags_of(
    longest_ns: Mapping[int, int], *, now_ns: int, since_ns: int, seconds: int, blocked_ns: int = 0
) -> tuple[int | None, ...]:
    """Returns the lag in each of the last seconds, the newest last.

    Args:
        longest_ns: by the second, 0 or nothing where none was seen.
        now_ns: the present moment.
        since_ns: since when the loop has been watched: None stands for the seconds before in which no lag was seen.
        seconds: how many.
        blocked_ns: for how long a stall has lasted that goes on.
    """
    last = now_ns // NS_PER_S
    goes_on = dict(by_second(now_ns - blocked_ns, now_ns, most=seconds)) if blocked_ns > 0 else {}
    return tuple(
        max(longest_ns.get(second, 0), goes_on.get(second, 0))
        if second >= since_ns // NS_PER_S or second in longest_ns or second in goes_on
        else None
        for second in range(last - seconds + 1, last + 1)
    )
