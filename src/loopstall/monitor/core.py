"""The monitor: a heartbeat in the loop, the watchdog beside it, and what the two saw."""

import asyncio
from collections import Counter
import heapq

from loopstall.clock import NS_PER_MS, Clock, now_ns
from loopstall.monitor.stack import culprit
from loopstall.monitor.watchdog import Watchdog
from loopstall.records import Frame, Observation, Stall
from loopstall.series import Peaks, Tally

__all__ = ["Monitor"]

_STALLS_KEPT = 100  # the longest ones; all are counted


class Monitor:
    """Watches the running loop from ``start`` to ``stop``.

    Every ``interval_ns`` the loop is asked for a sign of life; how much later than due it comes is the loop lag,
    and a lag over ``threshold_ns`` is a stall.

    Args:
        threshold_ns: what counts as a stall.
        interval_ns: the expected interval of the heartbeat.
        clock: monotonic time in ns.
    """

    def __init__(
        self, *, threshold_ns: int = 5 * NS_PER_MS, interval_ns: int = NS_PER_MS, clock: Clock = now_ns
    ) -> None:
        self._threshold_ns = threshold_ns
        self._interval_ns = interval_ns
        self._clock = clock
        self._lags = Tally()
        self._peaks = Peaks()
        self._stalls: list[tuple[int, int, Stall]] = []  # a heap, the shortest on top
        self._stall_count = 0
        self._stalled_ns = 0
        self._faults: list[str] = []

    def start(self) -> None:
        """Starts watching the loop that runs in this thread."""
        self._loop = asyncio.get_running_loop()
        self._watchdog = Watchdog(
            overdue_ns=lambda: self._clock() - self._due_ns,
            threshold_ns=self._threshold_ns,
            on_fault=self._faults.append,
        )
        self._started_ns = self._clock()
        self._arm(self._started_ns)
        self._watchdog.start()

    def stop(self) -> Observation:
        """Ends the watch; a sign of life that is overdue at this moment counts as it stands."""
        self._timer.cancel()
        ended_ns = self._clock()
        if ended_ns > self._due_ns:
            self._note(ended_ns)
        self._watchdog.stop()
        return Observation(
            wall_ns=ended_ns - self._started_ns,
            interval_ns=self._interval_ns,
            threshold_ns=self._threshold_ns,
            lag_counts=self._lags.counts(),
            lag_series=self._peaks.series(),
            stalls=tuple(sorted((item[2] for item in self._stalls), key=lambda stall: stall.start_ns)),
            stall_count=self._stall_count,
            stalled_ns=self._stalled_ns,
            faults=tuple(self._faults),
        )

    def _arm(self, now: int) -> None:
        self._due_ns = now + self._interval_ns
        self._timer = self._loop.call_later(self._interval_ns / 1e9, self._beat)

    def _beat(self) -> None:
        now = self._clock()
        self._note(now)
        self._arm(now)

    def _note(self, now: int) -> None:
        lag_ns = max(0, now - self._due_ns)
        self._lags.add(lag_ns)
        self._peaks.add(now - self._started_ns, lag_ns)
        if lag_ns > self._threshold_ns:
            self._keep(lag_ns)
        else:
            self._watchdog.take()

    def _keep(self, lag_ns: int) -> None:
        samples = self._watchdog.take()
        blamed = Counter(frame for frame in map(culprit, samples) if frame is not None).most_common(1)
        worst: Frame | None = blamed[0][0] if blamed else None
        stack = next((sample for sample in samples if culprit(sample) == worst), ())
        start_ns = self._due_ns - self._started_ns
        stall = Stall(start_ns=start_ns, duration_ns=lag_ns, culprit=worst, stack=stack)
        self._stall_count += 1
        self._stalled_ns += lag_ns
        item = (lag_ns, self._stall_count, stall)
        if len(self._stalls) < _STALLS_KEPT:
            heapq.heappush(self._stalls, item)
        else:
            heapq.heappushpop(self._stalls, item)
