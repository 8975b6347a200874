"""Looks at one loop's thread while the loop is late: when, and for how long. The target sees.

The alarm that the program puts off while its loop makes progress has gone off. From then on the thread is looked at
with growing pauses, until the loop is no longer late since the same moment.
"""

from collections.abc import Callable
import math
import time

from loopstall.monitor.outside.slot import NEVER, Seen, Slot
from loopstall.monitor.syscalls import READY

__all__ = ["Looker"]

TYPE_CHECKING = False  # as in ``loopstall``
if TYPE_CHECKING:
    from loopstall.monitor.outside.target import ProgramTarget

_OVERDUE_S = 0.001  # a loop that works is late by less
_FIRST_PAUSE_S = 0.0003
_PAUSE_SHARE = 0.2  # of the time that the loop has been late
_SOON_SHARE = 0.1  # where the thread had no CPU, so that the look says little
_LONGEST_PAUSE_S = 1.0
_MOST_LOOKS = 96  # of one stall that are handed over
_PATIENCE_SHARE = 0.8  # of the threshold, that a span is left alone at most
_WASTE = 0.02  # of a core, on spans that become no stalls: from there on they are left alone for so long
_MUCH = 0.02  # of a core, on looks of all kinds: from there on pauses are the longer, the more it is
_UNSPARED = 5  # looks at a stall that are made for all that, or nothing could be said of its cause
_TOO_MUCH = 0.04  # of a core: one short stall after the other, of which each needs fewer
_UNSPARED_THEN = 2
_FADES_S = 1.0
_EARLY = 6  # of them that are handed over as soon as there is a stack


OnHang = Callable[["Looker", float], object]
"""Told of a stall that goes on: who looks at it, and for how many seconds it has lasted so far."""


class _Recent:
    """The CPU time of late: a second ago counts for a third of now."""

    def __init__(self) -> None:
        self._sum_s = self._at_s = 0.0

    def add(self, cpu_s: float, now: float) -> None:
        """Adds CPU time that was spent by now."""
        self._sum_s, self._at_s = self.share(now) * _FADES_S + cpu_s, now

    def share(self, now: float) -> float:
        """Returns how much of a core it is."""
        return self._sum_s * math.exp((self._at_s - now) / _FADES_S) / _FADES_S


def _nothing(_seen: Seen) -> None:
    """Hands nothing over."""


class Looker:
    """Looks at the thread of one slot.

    Args:
        slot: where the program says since when it is late, and where it finds what was seen.
        target: the program's process.
        hang_after_s: how long a stall is told of while it lasts, and then each time that it has doubled, where the slot
            does not say; 0 for never.
        on_hang: told of it.
        seconds: monotonic time, by the program's clock.
        cpu_seconds: what this process has computed so far.
    """

    def __init__(
        self,
        slot: Slot,
        target: "ProgramTarget",
        *,
        hang_after_s: float = 0.0,
        on_hang: OnHang | None = None,
        seconds: Callable[[], float] = time.perf_counter,
        cpu_seconds: Callable[[], float] = time.thread_time,
    ) -> None:
        self.slot = slot
        self.seen: list[Seen] = []
        """The looks at the stall that goes on; at the last one, where none does."""
        self._target = target
        self._hang_after_s = hang_after_s
        self._on_hang = on_hang
        self._seconds, self._cpu_seconds = seconds, cpu_seconds
        self._since_s = 0.0
        self._awaited_s = 0.0
        self._told_s = 0.0
        self._late_s = self._spent_s = 0.0  # of this span, by the last look
        self._looked, self._wasted = _Recent(), _Recent()
        self._began = self._now = (0, 0)
        self._counted_since_s = self._counted_s = 0.0

    @property
    def used(self) -> tuple[int, int]:
        """The CPU time of the thread between the first look and the last, and its time without a CPU, in ns."""
        return self._now[0] - self._began[0], self._now[1] - self._began[1]

    @property
    def counted_s(self) -> float:
        """The seconds between the first look and the last: the time that ``used`` is of."""
        return self._counted_s

    @property
    def since_s(self) -> float:
        """Since when the loop has been late that is looked at, 0 where it is not."""
        return self._since_s

    def alarmed(self) -> None:
        """The alarm has gone off: whatever the loop is late since, it is to be looked at."""
        if self.slot.since_s != self._since_s:
            self._finish()
        self._awaited_s = 0.0

    def look(self) -> float | None:
        """Looks once, if the loop is late; returns when to look again, None where it is not late any more.

        A loop whose alarm goes off while it waits for events has none when it should be back: it is looked at then. One
        that often works for a while, and not for long enough to be a stall, is looked at later.
        """
        slot, now = self.slot, self._seconds()
        since_s, thread_id = slot.since_s, slot.thread_id
        awaited_s, self._awaited_s = self._awaited_s, 0.0
        if not thread_id or since_s == NEVER or awaited_s not in {0.0, since_s}:
            self._finish()
            return None
        if since_s > now:
            self._finish()
            self._awaited_s = since_s
            return since_s + _OVERDUE_S
        if since_s != self._since_s:
            if self._since_s:  # another span, which has an alarm of its own
                self._finish()
                return None
            ripe_s = since_s + self._patience_s(now)
            if now < ripe_s:
                self._awaited_s = since_s
                return ripe_s
            self._since_s, self._told_s, self.seen = since_s, 0.0, []
            self._began = self._now = self._target.clocks(thread_id)
            self._counted_since_s = self._seconds()
            slot.clear()
        begun_s = self._cpu_seconds()
        if len(self.seen) < _MOST_LOOKS:
            early = slot.add if len(self.seen) < _EARLY else _nothing  # a short stall may end before all is known
            one = self._target.look(thread_id, first=not self.seen, early=early)
            if one is not None and slot.since_s == since_s:
                self.seen.append(one)
                slot.add(one)
        self._now, counted_until_s = self._target.clocks(thread_id), self._seconds()
        self._counted_s = counted_until_s - self._counted_since_s
        self._late_s = late_s = counted_until_s - since_s
        spent_s = self._cpu_seconds() - begun_s
        self._spent_s += spent_s
        self._looked.add(spent_s, now)
        hang_after_s = slot.hang_after_s or self._hang_after_s
        if hang_after_s and self._on_hang is not None and late_s >= max(hang_after_s, 2 * self._told_s):
            self._told_s = late_s
            self._on_hang(self, late_s)
        return self._seconds() + min(max(_FIRST_PAUSE_S, late_s * self._pause_share(now)), _LONGEST_PAUSE_S)

    def _pause_share(self, now: float) -> float:
        """Returns the pause until the next look, of the time that the loop has been late."""
        share = _PAUSE_SHARE if not self.seen or self.seen[-1].state != READY else _SOON_SHARE
        looked = self._looked.share(now)
        unspared = _UNSPARED if looked < _TOO_MUCH else _UNSPARED_THEN
        return share if len(self.seen) < unspared else share * max(1.0, looked / _MUCH)

    def _patience_s(self, now: float) -> float:
        """Returns for how long a span is left alone: the longer, the more looks at others have been for nothing."""
        return self.slot.threshold_s * _PATIENCE_SHARE * min(1.0, self._wasted.share(now) / _WASTE)

    def _finish(self) -> None:
        """Looks at this span no more; what was spent on it is wasted where it has become no stall."""
        if self._since_s and self._late_s < self.slot.threshold_s:
            self._wasted.add(self._spent_s, self._seconds())
        self._since_s = self._late_s = self._spent_s = 0.0
