"""The monitor of one loop: it has a probe time the loop and an observer look at it, and enters what they see as stalls.

Hands on ``Monitor``, the stateful part of the package. How samples and counters become a stall and its cause is no
matter of this module: it reads them when a long span has ended, and ``evidence`` makes a stall of them.
"""

import asyncio
from collections.abc import Callable, MutableSequence
import contextlib
import sys
from typing import Any

from loopstall.monitor import active
from loopstall.monitor.counters import CounterReading, Counters, Throttle
from loopstall.monitor.evidence import StalledSpan, stall_of
from loopstall.monitor.gil import has_gil
from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.observer import Observer
from loopstall.monitor.outside.observer import OutsideObserver
from loopstall.monitor.paused import Paused
from loopstall.monitor.probes import NoProbe, Probe, probe_for
from loopstall.monitor.probes.base import NEVER_S
from loopstall.monitor.probes.selector import SelectorProbe
from loopstall.monitor.restarts import Restarts
from loopstall.monitor.samplers import INSIDE, sampler_of_environment
from loopstall.monitor.samples import Sample, ThreadView
from loopstall.monitor.series import Tally
from loopstall.monitor.stack import capture
from loopstall.monitor.stall_log import StallLog
from loopstall.monitor.threads import get_ident
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_MS, Clock, now_ns

__all__ = ["Monitor"]

_FLOOR_NS = NS_PER_MS  # shorter spans of work are not counted


class Monitor:
    """Watches one loop from ``start`` to ``stop``.

    Args:
        threshold_ns: what counts as a stall.
        kept: how many stalls are kept in full; all are counted.
        stall_log: where to enter them, for a watch that goes on with an earlier one's; a new one of that size for None.
        clock: monotonic time in ns.
        on_stall: called in the loop's thread with every stall when it has ended.
        on_hang: called with a stall that has lasted for ``hang_after_s`` and goes on, and each time that it has
            doubled; in a thread of its own, and only where a helper process looks.
        hang_after_s: see there.
        sampler: who looks at the loop's thread: a helper process from "outside", a thread of this process from
            "inside", or "auto", the helper where it can be had; None for what ``LOOPSTALL_SAMPLER`` says, else "auto".
        on_fault: called with each sentence that is added to ``faults``, in whichever thread it comes up.
    """

    def __init__(
        self,
        *,
        threshold_ns: int = 5 * NS_PER_MS,
        kept: int = 100,
        stall_log: StallLog | None = None,
        clock: Clock = now_ns,
        on_stall: Callable[[Stall], object] | None = None,
        on_hang: Callable[[Stall], object] | None = None,
        hang_after_s: float = 1.0,
        sampler: str | None = None,
        on_fault: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.threshold_ns = threshold_ns
        self._clock = clock
        self._on_stall = on_stall
        self._on_hang, self._hang_after_s = on_hang, hang_after_s if on_hang is not None else 0.0
        self.stall_log = StallLog(kept) if stall_log is None else stall_log
        self.spans = Tally()
        """Spans of work over 1 ms, by length: what a callback that fell due in one had to wait, at most."""
        self.faults: list[str] = []
        self._on_fault = on_fault
        self.started_ns = self.ended_ns = 0
        self._attached_ns = 0  # since when a loop is watched, 0 while none is
        self._watched_ns = 0  # before
        self._overran_ns = 0
        self._looked_ns = 0
        self._ident = 0  # of the loop's thread
        self._loop: Any = None
        self._probe: Probe = NoProbe()
        self.late_s: MutableSequence[float] = [NEVER_S]
        self._sampler = sampler or sampler_of_environment(self._fault)
        self._observer = self._choose()
        self._counters = Counters(clock)
        self._throttle = Throttle()
        self._baseline: CounterReading | None = None
        self._restarts: Restarts | None = None
        self._views: list[ThreadView] = []
        self._waiting: list[Sample] = []
        self._paused: Paused | None = None

    def _choose(self) -> Observer | OutsideObserver:
        if self._sampler != INSIDE and self._clock is now_ns:
            try:
                return OutsideObserver(
                    threshold_ns=self.threshold_ns,
                    hang_after_s=self._hang_after_s,
                    on_hang=self._on_hang,
                )
            except UnavailableError as error:
                self._fault(f"the loop is looked at from inside its process: {error}")
        return Observer(
            busy_since=lambda: self.busy_since_ns,
            threshold_ns=self.threshold_ns,
            clock=self._clock,
            on_fault=self._fault,
        )

    def _fault(self, sentence: str) -> None:
        self.faults.append(sentence)
        self._on_fault(sentence)

    def _fall_back(self, why: str) -> None:
        """Looks from inside from now on; called in the loop's thread."""
        self._fault(f"the loop is looked at from inside its process: {why}")
        self._observer.stop()
        self._sampler = INSIDE
        self._observer = self._choose()
        self._observer.start()
        if self._loop is not None:
            self._observer.late_s = self.late_s  # where the probe writes
            self._observer.attach(self._loop)

    def start(self, loop: Any = None) -> None:
        """Starts watching, in the loop's own thread.

        Args:
            loop: the loop that runs in this thread, or is about to; None for that of asyncio or uvloop that runs.
        """
        self.attach(loop or asyncio.get_running_loop())
        self._restarts = Restarts(self._loop, self._restart)

    def attach(self, loop: Any) -> None:
        """Watches a loop in its own thread until ``detach``, after which another one may come, in any thread.

        Args:
            loop: it runs in this thread, or is about to.
        """
        if self._resume(loop):
            return
        if self.started_ns:
            self._attached_ns = self._clock()
        else:
            self._open()
            self._attached_ns = self.started_ns
        self._ident = get_ident()
        try:
            self._observer.attach(loop)
        except UnavailableError as error:
            self._fall_back(str(error))
            self._observer.attach(loop)
        self.late_s = self._observer.late_s
        self._counters.attach(spares=self._observer.outside)
        floor_ns = min(self.threshold_ns, _FLOOR_NS)
        probe = probe_for(loop, threshold_ns=self.threshold_ns, floor_ns=floor_ns, clock=self._clock, listener=self)
        self._overran_ns, self._looked_ns, self._baseline = 0, self._observer.cpu_ns, None
        self._loop, self._probe = loop, probe
        probe.install()

    def detach(self) -> None:
        """Watches the loop no more, which has just stopped in this thread; the span that ended with it counts."""
        if self.ended_ns:  # another thread has ended the watch meanwhile
            return
        now = self._clock()
        loop, probe = self._loop, self._probe
        probe.tell(now)
        self._loop, self._probe = None, NoProbe()
        self._watched_ns, self._attached_ns = self._watched_ns + now - self._attached_ns, 0
        if isinstance(probe, SelectorProbe) and probe.times(loop) and self._observer.outside:
            self._paused = Paused(loop, probe)
            self.late_s[0] = NEVER_S  # the alarm may go off: for nothing, once
        else:
            probe.remove()
            self._observer.detach()

    def has_watched(self, loop: Any) -> bool:
        """Returns whether this is the loop that it has watched last, and may go on with at little cost."""
        return self._paused is not None and self._paused.is_of(loop)

    def _resume(self, loop: Any) -> bool:
        """Goes on with a loop, if it is the one that was watched last, in the same thread; else that one is left."""
        probe = self._paused.probe_of(loop) if self._paused is not None else None
        if probe is None:
            self._leave()
            return False
        self._paused, self._attached_ns = None, self._clock()
        self._overran_ns, self._loop, self._probe = 0, loop, probe
        probe.resume()
        return True

    def _leave(self) -> None:
        """Takes off what times the loop that was watched last, if it is still there."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.remove()
            self._observer.detach()

    def _open(self) -> None:
        self._throttle.since_last_ns()  # from here on
        self._observer.start()
        self.started_ns = self._clock()
        active.add(self)

    def _restart(self) -> None:
        if not self.ended_ns:
            self._probe.restart()

    def stop(self) -> None:
        """Ends the watch; a span of work that is going on at this moment counts as it stands. Any thread may call."""
        if self.ended_ns:
            return
        self.ended_ns = self._clock()
        active.discard(self)
        if not self.started_ns:
            return
        loop, here = self._loop, get_ident() == self._ident
        runs = loop is not None and loop.is_running()
        if runs and here:
            self._probe.tell(self.ended_ns)
        if runs and not here:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._probe.remove)
        else:
            self._probe.remove()
        self._leave()
        if self._restarts is not None:
            self._restarts.remove()
        self._observer.stop()
        self._counters.close()

    def abandon(self) -> None:
        """Leaves a forked child unwatched and clean."""
        if not self.ended_ns:
            self.ended_ns = self._clock()
            for timing in (self._probe, self._paused or NoProbe()):
                timing.remove()
            self._observer.abandon()  # what it shares with the helper is the parent's
            self._counters.close()

    @property
    def busy_since_ns(self) -> int:
        """The start of the loop's present span of work, 0 while it waits for events."""
        loop = self._loop
        return self._probe.busy_since() if loop is not None and loop.is_running() else 0

    @property
    def wall_ns(self) -> int:
        """The time for which a loop has been watched."""
        attached_ns = self._attached_ns
        return self._watched_ns + ((self.ended_ns or self._clock()) - attached_ns if attached_ns else 0)

    @property
    def is_attached(self) -> bool:
        """True while it watches a loop."""
        return self._loop is not None and not self.ended_ns

    def watches(self, loop: Any) -> bool:
        """Returns whether it watches this loop now."""
        return self._loop is loop and not self.ended_ns

    def expect(self, due_ns: int) -> None:
        """Notes when the loop will have a file to read, in its own thread: waiting longer for events was late."""
        self._probe.expect(due_ns)

    def alive(self, now: int, watchdog_ns: int) -> None:
        """Puts the looks off and takes the counters' stand, unless the present span has long begun."""
        if self.ended_ns:
            return
        reading = self._counters.read()
        if self._baseline is None or (not self._overran_ns and reading.at_ns - now < NS_PER_MS):
            self._baseline = reading
        self._observer.put_off(now, watchdog_ns)

    def rest(self, due_s: float = NEVER_S) -> None:
        """Asks for no look while the loop waits for events, until it should be back."""
        if not self.ended_ns:
            self._observer.rest(due_s)

    def hush(self) -> None:
        """Asks nobody anything from now on."""
        if not self.ended_ns:
            self._observer.ask_nobody()

    def overran(self, due: int, now: int) -> None:
        """Looks at once who had the GIL: whoever gave it up has not moved since."""
        self._overran_ns = now - due
        if self._overran_ns > self.threshold_ns:
            self._views = self._observer.other_threads.look()
            frame = sys._getframe(2)  # noqa: SLF001  # below the probe
            self._waiting.append(Sample(at_ns=now, asked_ns=due, by_signal=False, stack=capture(frame)))

    def span(self, start: int, end: int) -> None:
        """Counts a span of work, and enters it as a stall where it is over the threshold.

        Where another thread has ended the watch within it, it counts as it stood then.
        """
        if self.ended_ns:
            end = min(end, self.ended_ns)
            if end - start <= _FLOOR_NS:
                return
        self.spans.add(end - start)
        if end - start > self.threshold_ns:
            try:
                self._enter(start, end)
            except Exception as error:  # noqa: BLE001  # a broken observer never breaks the observed program
                self._fault(f"a stall could not be looked into: {type(error).__name__}: {error}")
        self._overran_ns = 0
        if self._waiting:
            self._views, self._waiting = [], []

    def _enter(self, start: int, end: int) -> None:
        samples, views = self._observer.take()
        after = self._counters.read(whole=True)
        before, self._baseline = self._baseline or after, after
        looked_before_ns, self._looked_ns = self._looked_ns, self._observer.cpu_ns
        span = StalledSpan(
            start_ns=start,
            end_ns=end,
            threshold_ns=self.threshold_ns,
            watched_since_ns=self.started_ns,
            overran_ns=self._overran_ns,
            look_due_ns=self._observer.asked_ns,
            looking_ns=self._looked_ns - looked_before_ns,
            throttled_ns=self._throttle.since_last_ns(),
            gil=has_gil(),
            outside=self._observer.outside,
        )
        stall = stall_of(
            span,
            samples,
            views + self._views,
            before,
            after,
            on_return=self._waiting,
            look_beside=self._observer.other_threads.look,
        )
        self.stall_log.add(stall)
        if self._on_stall is not None:
            self._on_stall(stall)
        if self._observer.fault:
            self._fall_back(self._observer.fault)
