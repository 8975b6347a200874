"""asyncio on Linux: the same in fewer steps, for this runs in every iteration of a server's loop.

What a function that is called in between costs a small request, some 3 to 4%, is saved by doing what
``selectors.EpollSelector.select`` does in the function that times it, with its look-ups done before.
"""

from collections.abc import Callable
import math
import select as select_module
import selectors
import time
from typing import Any

from loopstall.monitor.probes.base import LATE_NS, NEVER_S, Listener
from loopstall.monitor.probes.selector import Select, SelectorProbe
from loopstall.records.clock import NS_PER_S, Clock, now_ns

__all__ = ["EpollProbe", "is_plain_epoll"]

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_NOT_IN, _NOT_OUT = ~getattr(select_module, "EPOLLIN", 0), ~getattr(select_module, "EPOLLOUT", 0)


def is_plain_epoll(selector: object) -> bool:
    """Returns whether a selector is the standard library's own, with nothing changed about it."""
    kind = getattr(selectors, "EpollSelector", None)
    own_select: Any = getattr(kind, "select", None)
    return (
        kind is not None
        and type(selector) is kind
        and "select" not in vars(selector)
        and own_select.__module__ == selectors.__name__
        and hasattr(selector, "_fd_to_key")
        and hasattr(getattr(selector, "_selector", None), "poll")
    )


class EpollProbe(SelectorProbe):
    """Times every iteration of a loop of asyncio whose selector ``is_plain_epoll``.

    Args:
        selector: what the loop waits with.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, selector: Any, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        super().__init__(selector, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
        self._seconds = time.perf_counter if clock is now_ns else lambda: clock() / NS_PER_S  # floats are cheaper
        self._peek: Callable[[], float] = lambda: NEVER_S
        self._begin: Callable[..., bool] = lambda **_: False
        self._mute: Callable[[], None] = lambda: None
        self._fd_to_key, self._poll = selector._fd_to_key, selector._selector.poll  # noqa: SLF001  # is_plain_epoll

    def busy_since(self) -> int:
        """Returns when the present span began, in ns; 0 while the loop waits for events."""
        since = self._peek()
        return 0 if since is NEVER_S else round(since * NS_PER_S)

    def restart(self) -> None:
        """Forgets the span before."""
        self._begin()
        super().restart()

    def resume(self) -> None:
        """Goes on with a loop that has stopped: a sign of life that was given just before still holds."""
        if not self._begin(anew=False):
            self.restart()

    def retire(self) -> None:
        """Ends its reports, also where somebody still goes through what it has put in the place of ``select``."""
        super().retire()
        self._mute()

    def _told(self, since_s: float, now_s: float, timeout: float | None) -> tuple[float, float | None, bool]:
        """Reports a span; returns the time by then, the timeout without what that took, and whether it was a stall."""
        self._listener.span(round(since_s * NS_PER_S), round(now_s * NS_PER_S))
        after_s = self._seconds()
        if timeout is not None and timeout > 0:
            timeout = max(0.0, timeout - (after_s - now_s))
        return after_s, timeout, (now_s - since_s) * NS_PER_S > self._threshold_ns

    def timed(self, _original: Select) -> Select:  # noqa: C901  # one function: its own variables are the cheapest
        """Returns a ``select`` that does what the original does, and times it.

        It is longer than any other function of the package, on purpose: it runs in every iteration, where a call of a
        part of it costs what the top of this file says, and the variables that its parts share are cheapest as its own.
        """
        clock, poll, fd_to_key = self._seconds, self._poll, self._fd_to_key
        late_s = self._listener.late_s
        floor, late = self._floor_ns / NS_PER_S, LATE_NS / NS_PER_S
        rearm, first_rearm = self._pace.rearm_ns / NS_PER_S, self._first_pace.rearm_ns / NS_PER_S
        idles_long = True  # the first wait may be long: a look that nobody needs costs more than to take it back
        busy_since = NEVER_S  # while it waits for events
        due_sign = 0.0

        def select(timeout: float | None = None) -> list[tuple[Any, int]]:  # as above
            nonlocal busy_since, due_sign, idles_long
            now = clock()
            if now - busy_since > floor:
                now, timeout, stalled = self._told(busy_since, now, timeout)
                idles_long |= stalled  # its alarm has gone off
            busy_since = NEVER_S
            wait = -1.0 if timeout is None else 0.0 if timeout <= 0 else math.ceil(timeout * 1e3) * 1e-3
            late_s[0] = due = NEVER_S if timeout is None else now + wait
            if idles_long and wait:
                self._listener.rest(due)
                due_sign = 0.0
            try:
                found = poll(wait, len(fd_to_key) or 1)
            except InterruptedError:
                found = ()
            waited = (woke := clock()) - now > late
            if waited:
                idles_long = wait != 0
                began = self.came_back(round(now * NS_PER_S), timeout, round(woke * NS_PER_S))
                busy_since = began / NS_PER_S
            else:
                busy_since = woke
                if idles_long and wait:
                    idles_long = False
            late_s[0] = busy_since
            if waited or woke > due_sign:
                due_sign = woke + (first_rearm if waited else rearm)
                self._sign(round(woke * NS_PER_S), waited=waited)
            ready = []
            for fd, event in found:
                key = fd_to_key.get(fd)
                if key:
                    events = (event & _NOT_IN and _WRITE) | (event & _NOT_OUT and _READ)
                    ready.append((key, events & key.events))
            return ready

        def begin(*, anew: bool = True) -> bool:
            nonlocal busy_since, due_sign
            late_s[0] = busy_since = clock()
            due_sign = busy_since + first_rearm if anew else due_sign
            return busy_since < due_sign

        def mute() -> None:
            nonlocal late_s
            late_s = [NEVER_S]

        self._peek, self._begin, self._mute = lambda: busy_since, begin, mute
        return select
