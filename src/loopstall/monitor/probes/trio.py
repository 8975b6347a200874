"""trio: timed by an instrument, which it tells before and after it waits for events."""

from collections.abc import Callable
import sys
from typing import Any

from loopstall.clock import NS_PER_S, Clock
from loopstall.monitor.probes.base import LATE_NS, Listener, Pace

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
        self._ended = False

    def is_running(self) -> bool:
        """Whether it goes on."""
        return not self._ended

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> None:
        """Has a function called in its thread."""
        try:
            self._token.run_sync_soon(callback)
        except self.trio.RunFinishedError as error:
            self._ended = True
            raise RuntimeError("the run of trio has ended") from error

    def current_task(self) -> tuple[str, str]:
        """Returns the names of the task of this thread and of its coroutine; ``RuntimeError`` in other threads."""
        task = self.trio.lowlevel.current_task()
        return task.name, getattr(task.coro, "__qualname__", "")


class TrioProbe:
    """Times every iteration of trio, at the two ends of its wait for events.

    Args:
        run: whose.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, run: TrioRun, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        self._run = run
        self._pace = Pace.of(threshold_ns)
        self._floor_ns = floor_ns
        self._clock = clock
        self._listener = listener
        self._idle = False
        self._asked_ns = self._woke_ns = 0
        self._instrument: Any = None

    def install(self) -> None:
        """Hands trio the instrument."""
        probe = self

        class Instrument(self._run.trio.abc.Instrument):  # type: ignore[misc, name-defined]  # trio is optional
            def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002  # trio's signature
                probe.before_wait()

            def after_io_wait(self, timeout: float) -> None:
                probe.after_wait(timeout)

            def after_run(self) -> None:
                probe.ended()

        self._instrument = Instrument()
        self.restart()
        self._run.trio.lowlevel.add_instrument(self._instrument)

    def remove(self) -> None:
        """Takes it back."""
        if self._instrument is not None and self._run.is_running():
            self._run.trio.lowlevel.remove_instrument(self._instrument)
        self._instrument = None

    def busy_since(self) -> int:
        """Returns when the present span began, in ns; 0 while trio waits for events."""
        return 0 if self._idle else self._woke_ns

    def restart(self) -> None:
        """Forgets the span before."""
        self._woke_ns = self._clock()
        self._put_off()

    def ended(self) -> None:
        """The run is over."""
        self._idle = True
        self._run._ended = True  # noqa: SLF001  # the two are one thing
        self._listener.rest()

    def before_wait(self) -> None:
        """The span ends."""
        self._asked_ns = now = self._clock()
        if now - self._woke_ns > self._floor_ns:
            self._listener.span(self._woke_ns, now)
        self._idle = True

    def after_wait(self, timeout: float) -> None:
        """Another begins; coming back later than asked for belongs to it."""
        now = self._woke_ns = self._clock()
        self._idle = False
        due = self._asked_ns + int(min(timeout, 1e6) * NS_PER_S)
        if now - due > LATE_NS:
            self._listener.overran(due, now)
            self._woke_ns = due
        if now - self._put_off_ns > self._pace.rearm_ns:
            self._put_off()

    def _put_off(self) -> None:
        self._put_off_ns = self._woke_ns
        self._listener.alive(self._clock(), self._pace.watchdog_ns, self._pace.signal_ns)
