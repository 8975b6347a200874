"""The interface of probes, which time a loop's spans of work from inside.

A span begins when the loop comes back from waiting for events and ends when it waits again; what is due in between
waits for its end. A probe tells its listener of every span over a floor, and, not too often, that the loop is
alive, so that it can put its looks off.
"""

from collections.abc import MutableSequence
from dataclasses import dataclass
import math
from typing import Protocol

from loopstall.records.clock import NS_PER_MS

__all__ = ["LATE_NS", "NEVER_S", "Listener", "NoProbe", "Nobody", "Pace", "Probe"]

NEVER_S = math.inf
"""The moment from which a loop is late that may wait for ever."""

LATE_NS = 3 * NS_PER_MS // 2
"""asyncio rounds a wait for events up to a whole ms; what comes back later waited for something else as well."""


class Listener(Protocol):
    """The receiver of what a probe sees; it is called in the loop's thread.

    ``late_s[0]`` is written by the probe: the moment from which on the loop is late, in seconds of its clock. While the
    loop works, that is when it began; while it waits, when the wait should end, or ``NEVER_S``. An item of a sequence
    is the cheapest thing that another process can be shown.
    """

    late_s: MutableSequence[float]

    def alive(self, now: int, watchdog_ns: int) -> None:
        """The loop has made progress; when it is to be looked at, unless it tells again."""

    def rest(self, due_s: float = NEVER_S) -> None:
        """The loop will wait for events, perhaps for long; until when at most, in seconds of its clock."""

    def overran(self, due: int, now: int) -> None:
        """The loop came back from waiting later than it had asked for."""

    def span(self, start: int, end: int) -> None:
        """The loop worked for longer than the floor, times in ns."""


class Nobody:
    """A listener that does not listen."""

    def __init__(self) -> None:
        self.late_s: MutableSequence[float] = [NEVER_S]

    def alive(self, now: int, watchdog_ns: int) -> None:
        """Nothing."""

    def rest(self, due_s: float = NEVER_S) -> None:
        """Nothing."""

    def overran(self, due: int, now: int) -> None:
        """Nothing."""

    def span(self, start: int, end: int) -> None:
        """Nothing."""


class Probe(Protocol):
    """A way to time a loop."""

    def install(self) -> None:
        """Begins; called in the loop's thread, before it runs or while it does."""

    def remove(self) -> None:
        """Ends, and leaves the loop as it was."""

    def tell(self, now: int) -> None:
        """Reports the span that is going on, as if it ended now; called in the loop's thread."""

    def busy_since(self) -> int:
        """Returns when the present span began, in ns; 0 while the loop waits for events."""

    def restart(self) -> None:
        """Forgets the span before: the loop was stopped, and runs again."""

    def expect(self, due_ns: int) -> None:
        """Notes when a file will be there to read: a wait for events that lasts longer was late."""


class NoProbe:
    """The probe of a monitor that has no loop yet."""

    def install(self) -> None:
        """Nothing."""

    def remove(self) -> None:
        """Nothing."""

    def tell(self, now: int) -> None:
        """Nothing."""

    def busy_since(self) -> int:
        """Returns 0: there is no span."""
        return 0

    def restart(self) -> None:
        """Nothing."""

    def expect(self, due_ns: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The interval between a probe's signs of life, and the delay of a look without one, in ns.

    Each sign sets a timer of the kernel's anew, for which a virtual machine may have to ask its host. After a wait for
    events that was long one is given anyway, so that the look may come sooner.
    """

    rearm_ns: int
    watchdog_ns: int

    @classmethod
    def of(cls, threshold_ns: int) -> "Pace":
        """Returns the pace for a threshold: the look falls well before a stall of that length ends."""
        return cls(threshold_ns // 2, threshold_ns * 6 // 10)

    @classmethod
    def after_a_wait(cls, threshold_ns: int) -> "Pace":
        """Returns the one with which a loop begins that has waited for long."""
        return cls(threshold_ns * 3 // 10, threshold_ns * 4 // 10)
