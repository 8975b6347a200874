"""Loop lag: a timer of the kernel's that expires every so often, and how much later the loop handles it."""

import asyncio
from collections.abc import Callable
import contextlib
from typing import Any, Protocol

from loopstall.monitor.kernel import Alarm, UnavailableError
from loopstall.monitor.series import Peaks, Tally
from loopstall.records.clock import NS_PER_MS, Clock, now_ns

__all__ = ["Cancellable", "LagMeter", "Readable", "read_by"]


class Cancellable(Protocol):
    """A call that is due later, or again and again."""

    def cancel(self) -> object:
        """Cancels the calls."""


Readable = Callable[[int, Callable[[], object]], Cancellable | None]
"""Makes a loop call a function whenever a file can be read; None where the loop reads no files."""


class LagMeter:
    """Measures the lag of the running loop from ``start`` to ``stop``, once or again and again.

    The definition is the same on every loop: a ``timerfd`` is armed at the due time, the loop waits for it as for any
    socket, and the lag is when the loop calls back less when the timer expired. The kernel's timer is exact, so that
    what the loop's own timers round to (uvloop's to whole ms, asyncio's waits too) is no part of it.

    Where the system has no ``timerfd`` (macOS, Windows) or the loop reads no files, the loop's own timer stands in, and
    what it rounds to is part of the lag. One that fires before it is due, as uvloop's do, tells no lag: such a beat is
    left out, and ``faults`` says how many there were.

    Args:
        interval_ns: the expected interval between two beats.
        clock: monotonic time in ns; the kernel's timer stands by ``now_ns`` alone.
        later: has a function called after some seconds; that of the running loop of asyncio's kind for None.
        readable: has a function called when a file can be read; that of the running loop of asyncio's kind for None,
            unless there is a ``later``.
    """

    def __init__(
        self,
        *,
        interval_ns: int = NS_PER_MS,
        clock: Clock = now_ns,
        later: Callable[..., Any] | None = None,
        readable: Readable | None = None,
    ) -> None:
        self.interval_ns = interval_ns
        self.lags = Tally()
        self.peaks = Peaks()
        self.early = 0
        """Beats of a fallback that came before they were due."""
        self._beats = 0
        self._clock = clock
        self._started_ns = 0
        self._due_ns = 0
        self._given = (later, readable)
        self._later: Callable[..., Any] = _never
        self._timer: Cancellable | None = None
        self._alarm: Alarm | None = None
        self._expect: Callable[[int], object] = _nobody

    @property
    def faults(self) -> tuple[str, ...]:
        """Remarks for readers of the lag."""
        if not self.early:
            return ()
        told = f"{self.early} of {self.early + self._beats} heartbeats came before they were due"
        return (f"{told}: the timers of this loop are coarse, and those are left out of its lag",)

    def start(self, expect: Callable[[int], object] | None = None) -> None:
        """Begins on the loop that runs in this thread.

        Args:
            expect: told when each beat is due: a wait for events that lasts longer was late.
        """
        self._expect = expect or _nobody
        later, readable = self._given
        if later is None:
            loop = asyncio.get_running_loop()
            later, readable = loop.call_later, lambda file, callback: read_by(loop, file, callback)
        self._later = later
        self._timer = self._watched(readable)
        now = self._clock()
        self._started_ns = self._started_ns or now
        self._ask(now)

    def _watched(self, readable: Readable | None) -> Cancellable | None:
        """Lets the loop read a timer of the kernel's; None where it cannot."""
        if readable is None or self._clock is not now_ns:
            return None
        with contextlib.suppress(UnavailableError, OSError):
            self._alarm = Alarm()
            reading = readable(self._alarm.fd, self._beat)
            if reading is not None:
                return reading
            self._alarm.close()
        self._alarm = None
        return None

    def stop(self) -> None:
        """Asks for no more; a beat that is overdue at this moment counts as it stands."""
        now = self._clock()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
        if self._due_ns and now > self._due_ns:
            self._note(now)

    def _ask(self, now: int) -> None:
        self._due_ns = due = now + self.interval_ns
        if self._alarm is not None:
            self._alarm.at(due)
        else:
            self._timer = self._later(self.interval_ns / 1e9, self._beat)
        self._expect(due)

    def _beat(self) -> None:
        now = self._clock()
        if now >= self._due_ns:
            self._note(now)
        else:
            self.early += 1
        self._ask(now)

    def _note(self, now: int) -> None:
        lag_ns = now - self._due_ns
        self._beats += 1
        self.lags.add(lag_ns)
        self.peaks.add(now - self._started_ns, lag_ns)


def _nobody(_due_ns: int) -> None:
    """Expects nothing."""


def _never(_seconds: float, _callback: Callable[[], object]) -> None:
    """Calls nothing: no loop has been met yet."""


class _Reading:
    """A file that a loop of asyncio's kind reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: int) -> None:
        self._loop = loop
        self._file = file

    def cancel(self) -> None:
        """Ends the reading."""
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.remove_reader(self._file)


def read_by(loop: asyncio.AbstractEventLoop, file: int, callback: Callable[[], object]) -> Cancellable | None:
    """Has a loop of asyncio's kind call a function whenever a file can be read; None where it reads none."""
    try:
        loop.add_reader(file, callback)
    except NotImplementedError:  # the proactor of Windows
        return None
    return _Reading(loop, file)
