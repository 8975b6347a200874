"""Timing at the two ends of a loop's wait for events."""

import math

from loopstall.monitor.probes.base import LATE_NS, NEVER_S, Listener, Nobody, Pace
from loopstall.records.clock import NS_PER_S, Clock

__all__ = ["IterationProbe"]


class IterationProbe:
    """A probe that is called before and after a loop waits.

    Args:
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
        tick_s: what the loop rounds its waits up to, in seconds.
    """

    def __init__(
        self, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener, tick_s: float = 0.0
    ) -> None:
        self._pace, self._first_pace = Pace.of(threshold_ns), Pace.after_a_wait(threshold_ns)
        self._floor_ns, self._threshold_ns = floor_ns, threshold_ns
        self._clock = clock
        self._listener = listener
        self._tick_s = tick_s
        self._idles_long = True  # the first wait may be long
        self._busy_since_ns = self._asked_ns = self._expected_ns = 0
        self._sign_due_ns = 0  # when the next sign of life is

    def busy_since(self) -> int:
        """Returns when the present span began, in ns; 0 while the loop waits for events."""
        return self._busy_since_ns

    def restart(self) -> None:
        """Forgets the span before."""
        self._busy_since_ns = self._clock()
        self._listener.late_s[0] = self._busy_since_ns / NS_PER_S
        self._sign_due_ns = self._busy_since_ns + self._sign(self._busy_since_ns, waited=True)

    def resume(self) -> None:
        """Goes on with a loop that has stopped: a sign of life that was given just before still holds."""
        now = self._clock()
        if now > self._sign_due_ns:
            self.restart()
        else:
            self._busy_since_ns = now
            self._listener.late_s[0] = now / NS_PER_S

    def tell(self, now: int) -> None:
        """Reports the span that is going on, as if it ended now."""
        since = self.busy_since()
        if since and now - since > self._floor_ns:
            self._listener.span(since, now)

    def expect(self, due_ns: int) -> None:
        """Notes when a file will be there to read: a wait for events that lasts longer was late."""
        self._expected_ns = due_ns

    def retire(self) -> None:
        """Ends its reports."""
        self._listener = Nobody()

    def before_wait(self, timeout: float | None, *, shortens: bool = False) -> float | None:
        """The span ends; the loop waits for ``timeout`` seconds at most, for as long as it takes for None.

        Returns for how long it waits: the same, or where that ``shortens`` it, without what reporting the span took.
        """
        ended = self._clock()
        if ended - self._busy_since_ns > self._threshold_ns:
            self._idles_long = True  # its alarm has gone off
        self.tell(ended)
        self._asked_ns = now = self._clock()
        self._busy_since_ns = 0
        if timeout is not None and timeout <= 0:
            return timeout
        if timeout is not None and shortens:
            timeout = max(0.0, timeout - (now - ended) / NS_PER_S)
        due_s = NEVER_S if timeout is None or timeout == NEVER_S else now / NS_PER_S + self._rounded(timeout)
        self._listener.late_s[0] = due_s
        if self._idles_long:
            self._listener.rest(due_s)
            self._sign_due_ns = 0
        return timeout

    def after_wait(self, timeout: float | None) -> None:
        """Another begins; coming back later than ``timeout``, in seconds, belongs to it."""
        now = self._clock()
        self._busy_since_ns = self.came_back(self._asked_ns, timeout, now)
        self._listener.late_s[0] = self._busy_since_ns / NS_PER_S
        waited = now - self._asked_ns > LATE_NS
        if timeout is None or timeout > 0:
            self._idles_long = waited
        if waited or now > self._sign_due_ns:
            self._sign_due_ns = now + self._sign(now, waited=waited)

    def came_back(self, asked: int, timeout: float | None, now: int) -> int:
        """Returns since when the loop is busy: from when it should have come back, if that was long ago.

        It should have come back after the timeout, or when the file that is expected was there.
        """
        due = now
        if timeout is not None and timeout != math.inf:
            due = asked + int(self._rounded(max(timeout, 0)) * NS_PER_S)
        if self._expected_ns:
            due = min(due, max(asked, self._expected_ns))
        if now - due <= LATE_NS:
            return now
        self._listener.overran(due, now)
        return due

    def _rounded(self, seconds: float) -> float:
        return math.ceil(seconds / self._tick_s) * self._tick_s if self._tick_s else seconds

    def _sign(self, now: int, *, waited: bool = False) -> int:
        """Gives a sign of life, and returns in how many ns the next one is due."""
        pace = self._first_pace if waited else self._pace
        self._listener.alive(now, pace.watchdog_ns)
        return pace.rearm_ns
