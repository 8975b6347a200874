"""trio: timed by an instrument, which it tells before and after it waits for events."""

from collections.abc import Callable
from functools import cache, partial
import sys
from typing import Any

from loopstall.monitor.probes.base import NEVER_S, Listener
from loopstall.monitor.probes.iteration import IterationProbe
from loopstall.records.clock import Clock

__all__ = ["TrioProbe", "TrioRun"]


class TrioRun:
    """The run of trio in this thread, with what the monitor asks of a loop.

    Raises:
        RuntimeError: trio does not run in this thread.
    """

    def __init__(self) -> None:
        self.trio: Any = sys.modules.get("trio")
        if self.trio is None:
            raise RuntimeError("trio is not imported")
        self._token = self.trio.lowlevel.current_trio_token()
        self.ended = False

    def is_running(self) -> bool:
        """True while it goes on."""
        return not self.ended

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> None:
        """Calls a function in its thread."""
        try:
            self._token.run_sync_soon(callback)
        except self.trio.RunFinishedError as error:
            self.ended = True
            raise RuntimeError("the run of trio has ended") from error

    def task_getter(self) -> Callable[[], Any]:
        """Returns a function in C that returns the task of the thread that calls it, None where there is none."""
        return partial(getattr, sys.modules["trio._core._run"].GLOBAL_RUN_CONTEXT, "task", None)


class TrioProbe(IterationProbe):
    """Times every iteration of trio, at the two ends of its wait for events.

    Args:
        run: whose.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, run: TrioRun, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        super().__init__(threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
        self._run = run
        self._instrument: Any = None

    def install(self) -> None:
        """Hands trio the instrument."""
        self._instrument = _instrument_class(self._run.trio)(self)
        self.restart()
        self._run.trio.lowlevel.add_instrument(self._instrument)

    def remove(self) -> None:
        """Takes it back."""
        self.retire()
        if self._instrument is not None and self._run.is_running():
            self._run.trio.lowlevel.remove_instrument(self._instrument)
        self._instrument = None

    def ended(self) -> None:
        """The run is over."""
        self._busy_since_ns = 0
        self._listener.late_s[0] = NEVER_S
        self._run.ended = True
        self._listener.rest()


@cache
def _instrument_class(trio: Any) -> Any:
    """Returns the class of our instruments; made once, for a class of trio's costs as much as a short run."""

    class Instrument(trio.abc.Instrument):  # type: ignore[misc]  # trio is optional
        def __init__(self, probe: TrioProbe) -> None:
            self._probe = probe

        def before_io_wait(self, timeout: float) -> None:
            self._probe.before_wait(timeout)

        def after_io_wait(self, timeout: float) -> None:
            self._probe.after_wait(timeout)

        def after_run(self) -> None:
            self._probe.ended()

        def __dir__(self) -> list[str]:  # trio goes through it for each run: what there is to go through takes its time
            return ["before_io_wait", "after_io_wait", "after_run"]

    return Instrument
