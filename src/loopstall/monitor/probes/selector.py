"""asyncio's own loops: timed where they ask the selector for events."""

from collections.abc import Callable
import math
from typing import Any

from loopstall.clock import NS_PER_MS, Clock
from loopstall.monitor.probes.base import LATE_NS, Listener, Pace

__all__ = ["SelectorProbe"]


class SelectorProbe:
    """Times every iteration of a loop of asyncio, at the two ends of its wait for events.

    Args:
        selector: what the loop waits with.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, selector: Any, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        self._selector = selector
        self._threshold_ns = threshold_ns
        self._floor_ns = floor_ns
        self._clock = clock
        self._listener = listener
        self._select: Callable[..., Any] | None = None
        self._peek: Callable[[], int] = lambda: 0
        self._restart: Callable[[], None] = lambda: None
        self._remove: Callable[[], None] = lambda: None

    def install(self) -> None:  # noqa: C901  # one function: what it shares are its own variables, the cheapest there are
        """Puts the timing around the selector's ``select``."""
        original, clock, listener, floor = self._selector.select, self._clock, self._listener, self._floor_ns
        pace = Pace.of(self._threshold_ns)
        rearm_ns, watchdog_ns, signal_ns = pace.rearm_ns, pace.watchdog_ns, pace.signal_ns
        watched, idle, idles_long = True, False, False
        woke = put_off = clock()
        listener.alive(woke, watchdog_ns, signal_ns)

        def select(timeout: float | None = None) -> Any:
            nonlocal woke, put_off, idle, idles_long
            if not watched:
                return original(timeout)
            now = clock()
            if now - woke > floor:
                listener.span(woke, now)
            idle = True
            if idles_long and timeout != 0:
                listener.rest()
                put_off = 0
            events = original(timeout)
            woke = clock()
            idle = False
            if woke - now > LATE_NS:
                idles_long = True
                if timeout is not None:
                    due = now + math.ceil(max(timeout, 0) * 1e3) * NS_PER_MS
                    if woke - due > LATE_NS:
                        listener.overran(due, woke)
                        woke = due
            else:
                idles_long = False
            if woke > put_off + rearm_ns:
                put_off = woke
                listener.alive(woke, watchdog_ns, signal_ns)
            return events

        def peek() -> int:
            return 0 if idle else woke

        def restart() -> None:
            nonlocal woke, put_off, idle
            woke = put_off = clock()
            idle = False
            listener.alive(woke, watchdog_ns, signal_ns)

        def remove() -> None:
            nonlocal watched
            watched = False

        self._peek, self._restart, self._remove = peek, restart, remove
        self._select = self._selector.select = select

    def remove(self) -> None:
        """Takes the timing off; where somebody has put another thing around it, it goes through to the original."""
        self._remove()
        if self._selector.__dict__.get("select") is self._select:
            del self._selector.select

    def busy_since(self) -> int:
        """Returns when the present span began, in ns; 0 while the loop waits for events."""
        return self._peek()

    def restart(self) -> None:
        """Forgets the span before."""
        self._restart()
