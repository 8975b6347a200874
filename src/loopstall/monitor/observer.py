"""Looks at the loop's thread while it is late: by a sleeping thread first, and by itself on a signal.

Hands on ``Observer``, which owns the watchdog and the timer of the signal. What a look takes down is the sampler's
matter.

A healthy loop wakes neither. The first look is the watchdog's: a thread that waits for an alarm without the GIL, and
that gets the GIL at once where the loop's thread blocks, and within a switch interval where it computes in Python.
Where the watchdog has not been able to look in time, a real-time signal reaches the loop's thread; Python runs its
handler at the next point where bytecode may be interrupted, which after a C call is the line of that call.
Nothing walks the frames of a thread that runs: a handler in C that does so crashes when the signal arrives while a
frame is being pushed or popped.

On a free-threaded build the watchdog never has to wait, and never knows whether the loop's thread runs.
"""

from collections.abc import Callable, MutableSequence
import sys
import threading
from types import FrameType

from loopstall.monitor.counters import cpu_of, futex_of, gil_futex
from loopstall.monitor.gil import FREE_THREADED, has_gil
from loopstall.monitor.kernel import Alarm, SignalTimer, UnavailableError
from loopstall.monitor.probes.base import NEVER_S
from loopstall.monitor.sampler import Sampler
from loopstall.monitor.samples import OtherThreads, Sample, ThreadView
from loopstall.monitor.watchdog import Look, Wait, Watchdog
from loopstall.records.clock import NS_PER_MS, NS_PER_S, Clock

__all__ = ["Observer"]

_GIL_READS = 10_000  # of a file of /proc, 1 to 2 µs each; few do, unless the watchdog has to wait for a CPU
_KEPT_NS = NS_PER_MS // 2
_LONGEST_PAUSE_NS = NS_PER_S
_SHORTEST_PAUSE_NS = NS_PER_MS

_ANY_THREAD = sys.version_info >= (3, 13)
"""True where the main thread soon handles a signal to another thread, which cuts none of its own system calls."""


class Observer:
    """Looks at the thread that attaches it to its loop whenever that thread has not called ``put_off`` in time.

    Args:
        busy_since: returns when the loop's present span of work began, in ns; 0 while it waits for events.
        threshold_ns: how long a span is a stall.
        clock: monotonic time in ns.
        on_fault: told in a sentence what cannot be had, or has failed and was switched off.
    """

    outside = False
    fault = ""
    """Whatever fails here is switched off, and told of then."""

    def __init__(
        self,
        *,
        busy_since: Callable[[], int],
        threshold_ns: int,
        clock: Clock,
        on_fault: Callable[[str], None],
    ) -> None:
        self._busy_since = busy_since
        self._threshold_ns = threshold_ns
        self._clock = clock
        self._on_fault = on_fault
        self._sampler = Sampler(busy_since, clock, Observer._on_signal.__code__)
        self.late_s: MutableSequence[float] = [NEVER_S]
        self._asked_ns = 0
        self._signal_asked_ns = 0
        self._stopped = threading.Event()
        self._watchdog: Watchdog | None = None
        self._alarm: Alarm | None = None
        self._timer: SignalTimer | None = None
        self._thread: threading.Thread | None = None
        self._thread_id = 0  # of whoever looks from outside

    @property
    def other_threads(self) -> OtherThreads:
        """The threads beside the loop's."""
        return self._sampler.other_threads

    @property
    def by_signal(self) -> bool:
        """True where the loop's thread can be asked by a signal."""
        return self._timer is not None

    def start(self) -> None:
        """Starts the watchdog."""
        try:
            self._watchdog = Watchdog(self._guarded(self._look), self._on_signal, self._open_reader)
            self._alarm, self._thread = self._watchdog.alarm, self._watchdog.thread
        except (UnavailableError, OSError) as error:
            self._on_fault(f"stacks are sampled by a polling thread: {error}")
            self._thread = threading.Thread(
                target=self._guarded(self._poll), args=(self._pause,), name="loopstall-watchdog", daemon=True
            )
            self._thread.start()
        self._thread_id = self._thread.native_id or 0

    def attach(self, loop: object) -> None:
        """Looks at this thread from now on, and takes a signal where it is the main one.

        Args:
            loop: whose tasks are named.
        """
        self._sampler.attach(loop, self._thread)
        if self._watchdog is not None:
            self._take_signal(self._watchdog)
        if has_gil():
            self._learn_gil()
            self.other_threads.begin()

    def detach(self) -> None:
        """Looks at nobody until it is attached again."""
        self.rest()
        self._timer = None
        self._sampler.detach()

    def _learn_gil(self) -> None:
        """Finds out where threads wait for the GIL: wakes the watchdog, which wants it, without giving it up."""
        if gil_futex.address or self._alarm is None:
            return
        self._alarm.arm(1)
        for _ in range(_GIL_READS):
            address = futex_of(self._thread_id)
            if address and has_gil():
                gil_futex.address = address
                return

    def _take_signal(self, watchdog: Watchdog) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python runs handlers in the main thread alone
        try:
            self._timer = watchdog.timer((_ANY_THREAD and self._thread_id) or self._sampler.native_id)
        except UnavailableError as error:
            self._on_fault(f"computing in C is told from computing in Python by the watchdog alone: {error}")

    def stop(self) -> None:
        """Ends the watchdog and gives the signal back; called in any thread but the watchdog."""
        self._stopped.set()
        self._timer = None
        if self._watchdog is not None:
            self._watchdog.end()
        elif self._thread is not None:
            self._thread.join()
        self._sampler.close()

    def abandon(self) -> None:
        """Forgets everything in a forked child, where neither the thread nor the timer exists."""
        self._stopped.set()
        watchdog, self._watchdog, self._alarm, self._timer = self._watchdog, None, None, None
        if watchdog is not None:
            watchdog.abandon()
        self._sampler.close()

    def put_off(self, now: int, watchdog_ns: int, signal_ns: int) -> None:
        """Puts both looks off.

        Args:
            now: the time in ns.
            watchdog_ns: when the watchdog wakes up, from now.
            signal_ns: when the loop's thread is asked itself, from now; 0 for never.
        """
        self._asked_ns = now + watchdog_ns
        alarm, timer = self._alarm, self._timer  # another thread may end the watch meanwhile
        if alarm is not None:
            alarm.arm(watchdog_ns)
        if timer is None:
            return
        if signal_ns:  # as _ask does, without reading the clock
            self._signal_asked_ns = now + signal_ns
            timer.arm(signal_ns)
        elif self._signal_asked_ns:
            self._signal_asked_ns = 0
            timer.disarm()

    def rest(self, _due_s: float = NEVER_S) -> None:
        """Asks for no look until ``put_off`` is called."""
        for timer in (self._alarm, self._timer):
            if timer is not None:
                timer.disarm()

    @property
    def cpu_ns(self) -> int:
        """The CPU time that looking has taken so far."""
        return cpu_of(self._thread_id)

    @property
    def asked_ns(self) -> int:
        """The time for which the watchdog was last set."""
        return self._asked_ns

    def take(self) -> tuple[list[Sample], list[ThreadView]]:
        """Hands over what was seen since the last call, in the order of time; the loop's thread calls it."""
        return self._sampler.take()

    def _guarded(self, function: Callable[[Wait], object]) -> Look:
        def guarded(wait: Wait) -> None:
            if self._stopped.is_set():
                return
            try:
                function(wait)
            except Exception as error:  # noqa: BLE001  # a broken observer never breaks the observed program
                self._stopped.set()
                self._on_fault(f"watchdog switched off: {type(error).__name__}: {error}")

        return guarded

    def _pause(self, pause_ns: int) -> bool:
        return self._stopped.wait(pause_ns / NS_PER_S)

    def _open_reader(self) -> None:
        """Finds out, in the watchdog's thread, how to read stacks."""
        try:
            self._sampler.open_reader()
        except UnavailableError as error:
            self._on_fault(f"a free-threaded Python: stacks come from the main thread alone, by signal: {error}")

    def _poll(self, wait: Wait) -> None:
        """Replaces the alarm where there is none: wakes up twice a threshold to see whether the loop is late."""
        self._open_reader()
        while not wait(self._threshold_ns // 2):
            since = self._busy_since()
            if since and self._clock() - since > self._threshold_ns // 2:
                self._asked_ns = self._clock()
                self._look(wait)

    def _look(self, wait: Wait) -> None:
        """Samples with growing pauses until the loop gives a sign of life."""
        since = self._busy_since()
        pause_ns = max(self._threshold_ns // 2, _SHORTEST_PAUSE_NS)
        asked_ns = self._asked_ns
        if not since and self._clock() - asked_ns > _KEPT_NS:
            self._sampler.look_beside(anew=True)  # the loop may want to come back from its wait, and not be able to
        while since and self._busy_since() == since and not self._stopped.is_set():
            if not FREE_THREADED and self._clock() < self._signal_asked_ns:
                # The signal is for where this thread does not come to look, and it may cut a system call short.
                self._ask(2 * pause_ns + _SHORTEST_PAUSE_NS)
            self._sampler.look(since, asked_ns, asks_itself=self._timer is not None)
            pause_ns = -(-pause_ns // NS_PER_MS) * NS_PER_MS  # as poll rounds it, lest every look seem late
            self._asked_ns = asked_ns = self._clock() + pause_ns
            if wait(pause_ns) and self._busy_since() == since and self._alarm is not None:
                self._alarm.clear()  # it was set within the span that is being looked at; one of a later span stands
            pause_ns = min(pause_ns * 5 // 4, _LONGEST_PAUSE_NS)

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        """Runs in the loop's thread, between two bytecodes of whatever it is doing there."""
        since = self._busy_since()
        if not since:
            return
        if self._clock() - self._signal_asked_ns > _KEPT_NS:  # whoever kept the GIL has just given it up
            self._sampler.look_beside()
        self._sampler.note(frame, self._signal_asked_ns, by_signal=True)
        pause_ns = max(self._threshold_ns // 2, (self._clock() - since) // 4)
        self._ask(pause_ns)

    def _ask(self, delay_ns: int) -> None:
        """Schedules the signal, once."""
        timer = self._timer
        if timer is not None:
            self._signal_asked_ns = self._clock() + delay_ns
            timer.arm(delay_ns)
