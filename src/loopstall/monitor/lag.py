"""Loop lag: a callback that is due every so often, and how much later than due it runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from loopstall.clock import NS_PER_MS, Clock, now_ns
from loopstall.series import Peaks, Tally

__all__ = ["LagMeter"]


class LagMeter:
    """Measures the lag of the running loop from ``start`` to ``stop``, once or again and again.

    Args:
        interval_ns: the expected interval between two beats.
        clock: monotonic time in ns.
        later: has a function called after some seconds; the running loop of asyncio's kind for None.
    """

    def __init__(
        self, *, interval_ns: int = NS_PER_MS, clock: Clock = now_ns, later: Callable[..., Any] | None = None
    ) -> None:
        self.interval_ns = interval_ns
        self.lags = Tally()
        self.peaks = Peaks()
        self._clock = clock
        self._started_ns = 0
        self._later = later

    def start(self) -> None:
        """Asks for the first beat of the loop that runs in this thread."""
        self._later = self._later or asyncio.get_running_loop().call_later
        now = self._clock()
        self._started_ns = self._started_ns or now
        self._ask(now)

    def stop(self) -> None:
        """Asks for no more; a beat that is overdue at this moment counts as it stands."""
        self._timer.cancel()
        now = self._clock()
        if now > self._due_ns:
            self._note(now)

    def _ask(self, now: int) -> None:
        self._due_ns = now + self.interval_ns
        assert self._later is not None  # noqa: S101  # start has seen to it
        self._timer = self._later(self.interval_ns / 1e9, self._beat)

    def _beat(self) -> None:
        now = self._clock()
        self._note(now)
        self._ask(now)

    def _note(self, now: int) -> None:
        lag_ns = max(0, now - self._due_ns)
        self.lags.add(lag_ns)
        self.peaks.add(now - self._started_ns, lag_ns)
