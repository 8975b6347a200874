"""The monitor: a heartbeat in the loop, the watchdog beside it, and what the two saw."""

import asyncio
from collections import Counter
import heapq
import os
import threading

from loopstall.clock import NS_PER_MS, Clock, now_ns
from loopstall.monitor.cause import classify
from loopstall.monitor.counters import Counters
from loopstall.monitor.stack import culprit
from loopstall.monitor.switch import Switch, UnavailableError
from loopstall.monitor.watchdog import Sighting, Watchdog
from loopstall.records import Evidence, Observation, Stall
from loopstall.series import Peaks, Tally

__all__ = ["Monitor"]

_STALLS_KEPT = 100  # the longest ones; all are counted
_REARM_NS = 2 * NS_PER_MS  # the switch is put off and the counters are read no more often than this


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
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._delay_ns = self._threshold_ns * 9 // 10  # the stack is there before the stall is one
        try:
            self._switch: Switch | None = Switch(self._delay_ns)
        except UnavailableError as error:
            self._switch = None
            self._faults.append(f"stacks are sampled by a polling thread: {error}")
        self._counters = Counters(threading.get_native_id(), self._clock)
        self._watchdog = Watchdog(
            overdue_ns=lambda: self._clock() - self._due_ns,
            threshold_ns=self._threshold_ns,
            switch=self._switch,
            clock=self._clock,
            on_fault=self._faults.append,
        )
        self._watchdog.start()
        self._started_ns = self._clock()
        self._baseline = self._counters.read()
        if self._switch is not None:
            self._switch.arm()
        self._arm(self._started_ns)

    def stop(self) -> Observation:
        """Ends the watch; a sign of life that is overdue at this moment counts as it stands."""
        self._timer.cancel()
        ended_ns = self._clock()
        if ended_ns > self._due_ns:
            self._note(ended_ns)
        if self._switch is not None:
            self._switch.disarm()
        self._watchdog.stop()
        self._counters.close()
        if self._switch is not None:
            self._switch.close()
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
        if os.getpid() != self._pid:
            return  # a fork: this copy of the loop is not watched
        now = self._clock()
        self._note(now)
        if now - self._baseline.at_ns >= _REARM_NS:
            self._baseline = self._counters.read()
            if self._switch is not None:
                self._switch.arm()
        self._arm(now)

    def _note(self, now: int) -> None:
        lag_ns = max(0, now - self._due_ns)
        self._lags.add(lag_ns)
        self._peaks.add(now - self._started_ns, lag_ns)
        if lag_ns > self._threshold_ns:
            self._keep(lag_ns, self._watchdog.take())
        elif self._watchdog.awake:
            self._watchdog.take()

    def _keep(self, lag_ns: int, seen: Sighting) -> None:
        evidence = self._evidence(seen)
        cause, rule = classify(evidence)
        blamed = Counter(frame for frame in map(culprit, seen.stacks) if frame is not None).most_common(1)
        worst = blamed[0][0] if blamed else None
        thread, (_, holder) = "", (0, None)
        if cause == "gil-wait" and seen.busy:
            thread, (_, holder) = max(seen.busy.items(), key=lambda item: item[1][0])
        stall = Stall(
            start_ns=self._due_ns - self._started_ns,
            duration_ns=lag_ns,
            cause=cause,
            rule=rule,
            culprit=worst,
            stack=next((stack for stack in seen.stacks if culprit(stack) == worst), ()),
            holder=holder,
            holder_thread=thread,
            evidence=evidence,
        )
        self._stall_count += 1
        self._stalled_ns += lag_ns
        item = (lag_ns, self._stall_count, stall)
        if len(self._stalls) < _STALLS_KEPT:
            heapq.heappush(self._stalls, item)
        else:
            heapq.heappushpop(self._stalls, item)

    def _evidence(self, seen: Sighting) -> Evidence:
        before, after = self._baseline, self._counters.read()
        own_ns = after.own_cpu_ns - before.own_cpu_ns
        delay_ns = None
        if after.run_delay_ns is not None and before.run_delay_ns is not None:
            delay_ns = after.run_delay_ns - before.run_delay_ns
        asked_ns = before.at_ns + self._delay_ns
        return Evidence(
            window_ns=after.at_ns - before.at_ns,
            own_cpu_ns=own_ns,
            other_cpu_ns=max(0, after.process_cpu_ns - before.process_cpu_ns - own_ns),
            run_delay_ns=delay_ns,
            gc_ns=after.gc_ns - before.gc_ns,
            starved_ns=max(0, (seen.woke_ns or after.at_ns) - asked_ns),
            syscalls=tuple(dict.fromkeys(name for name in seen.syscalls if name)),
        )
