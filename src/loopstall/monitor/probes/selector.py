"""asyncio's own loops: timed where they ask the selector for events."""

from collections.abc import Callable
from typing import Any

from loopstall.monitor.probes.base import Listener
from loopstall.monitor.probes.iteration import IterationProbe
from loopstall.records.clock import Clock

__all__ = ["TICK_S", "SelectorProbe"]

TICK_S = 1e-3
"""The step to which asyncio's selectors round a wait up."""

Select = Callable[[float | None], Any]


class SelectorProbe(IterationProbe):
    """Times every iteration of a loop of asyncio, around the ``select`` of its selector.

    Args:
        selector: what the loop waits with.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, selector: Any, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        super().__init__(threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener, tick_s=TICK_S)
        self._selector = selector
        self._select: Any = None

    def install(self) -> None:
        """Puts the timing in the place of the selector's ``select``."""
        original = self._selector.select
        self._select = self.timed(original)
        self._select.below = original  # for whoever is taken off
        self.restart()
        self._selector.select = self._select

    def times(self, loop: Any) -> bool:
        """Returns whether it still times what a loop waits with."""
        return getattr(loop, "_selector", None) is self._selector

    def timed(self, original: Select) -> Select:
        """Returns a ``select`` that does what the original does, and times it."""

        def select(timeout: float | None = None) -> Any:
            timeout = self.before_wait(timeout, shortens=True)
            events = original(timeout)
            self.after_wait(timeout)
            return events

        return select

    def remove(self) -> None:
        """Takes the timing off; what somebody has put around it since goes through it, and leaves it out in the end."""
        self.retire()
        selector: Any = self._selector
        top: Any = selector.select
        if top is self._select:
            bound: Any = getattr(top.below, "__self__", None)
            if bound is selector:
                del selector.select
            else:
                selector.select = top.below
            return
        while hasattr(top, "below"):
            if top.below is self._select:
                top.below = self._select.below
            top = top.below
