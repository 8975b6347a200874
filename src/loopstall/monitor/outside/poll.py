"""Follows one event loop of another process by looking at its thread again and again.

A span begins when the loop was last seen waiting for events, or when its present turn is known to have begun, and ends
when it is seen waiting again, or in another turn. So its length is exact to the interval between two looks. Hands on
``LoopPoll`` and ``Span``; when to look is the matter of its caller, what a stall is made of, that of ``seen``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from loopstall.monitor.outside.loop_frames import WAITING_CALLS, loop_of, selects, waits
from loopstall.monitor.outside.slot import Seen
from loopstall.monitor.turn_reader import Turn

__all__ = ["LoopPoll", "Polled", "Span"]

_PAUSE_SHARE = 0.2  # of the time that the loop has been busy, between two looks at its stack
_MOST_LOOKS = 64  # at the stack in one span
_MOST_PLACES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span in which a loop did not wait for events: when, what was seen, and what its thread has computed.

    ``cpu_ns`` and ``delay_ns`` are what the thread has computed, and waited for a CPU, over ``counted_ns`` up to the
    end, None where the system does not tell. ``open`` says that the span has not ended.
    """

    since_ns: int
    until_ns: int
    seen: tuple[Seen, ...]
    cpu_ns: int | None = None
    delay_ns: int | None = None
    counted_ns: int = 0
    open: bool = False

    @property
    def length_ns(self) -> int:
        """The length of the span so far."""
        return self.until_ns - self.since_ns


class Polled(Protocol):
    """The process with the loop, as ``Attached`` shows it."""

    def look(self, thread_id: int, *, first: bool) -> Seen | None:
        """Returns what a thread does, None where it has ended or is too quick."""

    def state(self, thread_id: int) -> str:
        """Returns the system call that a thread is in, or a word of ``syscalls``."""

    def place(self, thread_id: int) -> tuple[int, int] | None:
        """Returns frame and position of a thread, None where it has none."""

    def turn(self, thread_id: int) -> Turn:
        """Returns the present turn of the loop in a thread."""

    def cpu_ns(self, thread_id: int) -> tuple[int, int] | None:
        """Returns for how long a thread has computed, and waited for a CPU."""


class LoopPoll:
    """The loop of one thread.

    Args:
        target: its process.
        thread_id: the number of its thread.
        kind: of the loop, as ``loop_of`` names it.
        threshold_ns: from when on a span is handed on.
        hang_after_ns: from when on a stall is told while it lasts, and then each time that it has doubled.
        clock: monotonic time in ns, the one that the looks are timed by.
    """

    def __init__(
        self,
        target: Polled,
        thread_id: int,
        kind: str,
        *,
        threshold_ns: int,
        hang_after_ns: int,
        clock: Callable[[], int],
    ) -> None:
        self.thread_id = thread_id
        self.kind = kind
        self.ended = False
        """True once the loop does not run any more."""
        self._target = target
        self._threshold_ns = threshold_ns
        self._hang_after_ns = hang_after_ns
        self._clock = clock
        self._waiting_places: set[tuple[int, int]] = set()
        self._seen: list[Seen] = []
        self._turn: Turn = (0, 0)
        self._look_due_ns = self._told_ns = 0
        self._since_ns = self._before_ns = self._counted_since_ns = 0
        self._known = False  # the beginning of the present span
        self._counted: tuple[int, int] | None = None
        self._begin(clock())

    def poll(self) -> Span | None:
        """Looks once; returns a span that has ended or goes on, if it is to be told."""
        now = self._clock()
        state = self._target.state(self.thread_id)
        if not state:  # the thread has ended
            self.ended = True
            return self._end(self._before_ns, now)
        if state in WAITING_CALLS and self._target.place(self.thread_id) in self._waiting_places:
            return self._end(now, now)
        seen = None
        if not self._seen or (now >= self._look_due_ns and len(self._seen) < _MOST_LOOKS) or state in WAITING_CALLS:
            seen = self._target.look(self.thread_id, first=not self._seen)
        if seen is not None and waits(seen.stack, seen.state, seen.coroutine):
            place = self._target.place(self.thread_id)
            if place is not None and self._target.state(self.thread_id) == seen.state:
                self._know(place)
            return self._end(now, now)
        if seen is not None and self.kind != "uvloop" and not loop_of(seen.stack):
            self.ended = True
            return self._end(now, now)
        ended = self._turned(now, seen)
        if seen is not None and len(self._seen) < _MOST_LOOKS:
            self._seen.append(seen)
            self._look_due_ns = now + int((now - self._since_ns) * _PAUSE_SHARE)
        self._before_ns = now
        return ended or self._hang(now)

    def close(self) -> Span | None:
        """Ends the span that goes on; returns it if it is a stall."""
        now = self._clock()
        return self._end(now, now)

    def _know(self, place: tuple[int, int]) -> None:
        if len(self._waiting_places) >= _MOST_PLACES:
            self._waiting_places.clear()
        self._waiting_places.add(place)

    def _turned(self, now: int, seen: Seen | None) -> Span | None:
        """Begins another span where the loop has gone on since the last look without being seen waiting.

        A loop that comes back from its wait, but has not got the GIL yet, still has the turn before.
        """
        turn = self._target.turn(self.thread_id)
        began_ns = min(turn[0], now)
        before, self._turn = self._turn, turn
        if turn in {(0, 0), before}:
            return None
        if before == (0, 0):
            if not self._known and seen is not None and began_ns and not selects(seen.stack):
                self._since_ns = began_ns
            self._since_ns = max(self._since_ns, began_ns)
            return None
        ended = self._end(began_ns or self._before_ns, now)
        self._turn = turn
        return ended

    def _begin(self, since_ns: int, counted_ns: int = 0) -> None:
        self._since_ns = self._before_ns = since_ns
        self._seen, self._turn, self._told_ns, self._look_due_ns = [], (0, 0), 0, 0
        self._counted, self._counted_since_ns = self._target.cpu_ns(self.thread_id), counted_ns or since_ns

    def _end(self, until_ns: int, now: int) -> Span | None:
        """Begins the next span; returns the one before if it is a stall."""
        length_ns = until_ns - self._since_ns
        self._known = True
        span = self._span(until_ns) if self._seen and length_ns > self._threshold_ns else None
        self._begin(until_ns, now)
        return span

    def _hang(self, now: int) -> Span | None:
        late_ns = now - self._since_ns
        if not self._seen or late_ns < max(self._hang_after_ns, 2 * self._told_ns, self._threshold_ns):
            return None
        self._told_ns = late_ns
        return self._span(now, is_open=True)

    def _span(self, until_ns: int, *, is_open: bool = False) -> Span:
        after = self._target.cpu_ns(self.thread_id)
        cpu_ns, delay_ns = None, None
        if after is not None and self._counted is not None:
            cpu_ns, delay_ns = after[0] - self._counted[0], after[1] - self._counted[1]
        return Span(
            since_ns=self._since_ns,
            until_ns=until_ns,
            seen=tuple(self._seen),
            cpu_ns=cpu_ns,
            delay_ns=delay_ns,
            counted_ns=max(1, until_ns - self._counted_since_ns),
            open=is_open,
        )
