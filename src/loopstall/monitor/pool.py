"""Monitors that go from one loop to the next: a program may run thousands of short ones.

Hands on ``MonitorPool``, and ``telling`` for monitors whose stalls are handed over as events. Which loops there are,
and what becomes of their stalls, is no matter of this module.
"""

import asyncio
from collections.abc import Callable
import contextlib
import threading
from typing import Any

from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.monitor.threads import Lock
from loopstall.records import Stall, StallEvent
from loopstall.records.clock import epoch_s

__all__ = ["MonitorPool", "telling"]


def telling(
    tell: Callable[[StallEvent, int], object],
    *,
    threshold_ns: int,
    process: Callable[[], str],
    on_fault: Callable[[str], object] = lambda _: None,
    sampler: str | None = None,
    monitor: Callable[..., Monitor] = Monitor,
) -> Callable[[], Monitor]:
    """Returns what makes a monitor that tells every stall as it ends, in the loop's thread.

    Args:
        tell: takes the stall as an event, and when it began, in ns of the monitor's clock.
        threshold_ns: the span without progress from which there is a stall.
        process: gives the name and the number of this process.
        on_fault: called with each sentence of what a monitor could not do.
        sampler: as a monitor has it.
        monitor: makes one, as ``Monitor`` does.
    """

    def make() -> Monitor:
        def seen(stall: Stall) -> None:
            began_ns = made.started_ns + stall.start_ns
            event = StallEvent(
                stall=stall,
                length_ns=stall.duration_ns,
                at=epoch_s(began_ns),
                process=process(),
                thread=threading.current_thread().name,
            )
            tell(event, began_ns)

        made = monitor(threshold_ns=threshold_ns, kept=1, on_stall=seen, on_fault=on_fault, sampler=sampler)
        return made

    return make


class MonitorPool:
    """Has every loop watched that it is told of, by as many monitors as there are loops at a time.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], Monitor]) -> None:
        self._make = make
        self._lock = Lock()
        self._idle: list[Monitor] = []
        self._known: list[Monitor] = []

    @property
    def monitors(self) -> tuple[Monitor, ...]:
        """All of them, with what they have counted so far; any thread may ask."""
        with self._lock:
            return tuple(self._known)

    @property
    def faults(self) -> tuple[str, ...]:
        """Sentences of what they could not do, each once; any thread may ask."""
        return tuple(dict.fromkeys(fault for monitor in self.monitors for fault in monitor.faults))

    def begin(self, loop: Any) -> Callable[[], object]:
        """Watches a loop that is about to run, in its thread; returns what ends that.

        One that ``join`` watches is being run anew, and goes on to be watched.
        """
        if any(monitor.watches(loop) for monitor in self.monitors):
            return lambda: None
        with self._lock:
            monitor = next((one for one in self._idle if one.has_watched(loop)), self._idle[-1] if self._idle else None)
            if monitor is not None:
                self._idle.remove(monitor)
        if monitor is None or monitor.ended_ns:  # in a forked child
            monitor = self._new()
        monitor.attach(loop)

        def end(used: Monitor = monitor) -> None:
            used.detach()
            with self._lock:
                self._idle.append(used)

        return end

    def join(self, loop: Any) -> Callable[[], object]:
        """Watches a loop that runs already, in its thread, whenever it does; returns what ends that."""
        monitor = self._new()
        monitor.start(loop)
        return monitor.stop

    def _new(self) -> Monitor:
        monitor = self._make()
        with self._lock:
            self._known.append(monitor)
        return monitor

    def watch_all(self) -> None:
        """Has every loop watched: the one that runs in this thread, if one does, and all that begin to run later."""
        everywhere.add(self.begin, self.join)
        with contextlib.suppress(RuntimeError):
            self.join(asyncio.get_running_loop())

    def watch_none(self) -> None:
        """Ends that, and all monitors."""
        everywhere.discard(self.begin)
        self.stop()

    def stop(self) -> None:
        """Ends all of them; they can be asked for what they have counted."""
        for monitor in self.monitors:
            monitor.stop()
