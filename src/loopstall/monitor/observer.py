"""Looks at the loop's thread while it is late: by a thread that sleeps, and by itself when that asks it.

Hands on ``Observer``, which owns the watchdog. What a look takes down is the sampler's matter.

A healthy loop wakes neither. The watchdog waits for an alarm without the GIL. It gets the GIL at once where the loop's
thread blocks, and within a switch interval where it computes in Python. Before it wants the GIL it asks the main
thread, which answers at the next point where bytecode may be interrupted: after a C call, that is the line of that
call. An answer counts that comes before the watchdog has looked.
Nothing walks the frames of a thread that runs, and nothing sends a signal: one would cut system calls short, meet a
handler of the program's, or call one of ours where the program is at its limit of recursion.

On a free-threaded build the watchdog never has to wait, and never knows whether the loop's thread runs.
"""

from collections.abc import Callable, MutableSequence
import os
import sys

from loopstall.monitor.asking import ANSWERS_AT_ONCE, Answers
from loopstall.monitor.counters import cpu_of, futex_of, gil_futex
from loopstall.monitor.gil import FREE_THREADED, has_gil
from loopstall.monitor.kernel import Alarm, UnavailableError
from loopstall.monitor.probes.base import NEVER_S, Pace
from loopstall.monitor.sampler import Sampler
from loopstall.monitor.samples import OtherThreads, Sample, ThreadView
from loopstall.monitor.threads import Latch, Thread, get_native_id
from loopstall.monitor.watchdog import Look, Wait, Watchdog
from loopstall.records.clock import NS_PER_MS, NS_PER_S, Clock

__all__ = ["Observer"]

_GIL_READS = 10_000  # of a file of /proc, 1 to 2 µs each; few do, unless the watchdog has to wait for a CPU
_KEPT_NS = NS_PER_MS // 2
_LONGEST_PAUSE_NS = NS_PER_S
_SHORTEST_PAUSE_NS = NS_PER_MS


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
        self._sampler = Sampler(busy_since, clock)
        self._overdue_ns = Pace.of(threshold_ns).watchdog_ns
        self.late_s: MutableSequence[float] = [NEVER_S]
        self._asked_ns = 0
        self._stopped = Latch()
        self._watchdog: Watchdog | None = None
        self._alarm: Alarm | None = None
        self._answers: Answers | None = None  # of the main thread
        self._thread: Thread | None = None
        self._thread_id = 0  # of whoever looks from outside

    @property
    def other_threads(self) -> OtherThreads:
        """The threads beside the loop's."""
        return self._sampler.other_threads

    def start(self) -> None:
        """Starts the watchdog, in the thread that is looked at first."""
        if sys.platform == "linux" and ANSWERS_AT_ONCE and _is_main():
            try:
                self._answers = Answers.take_over(self._clock)
            except UnavailableError as error:
                self._on_fault(f"computing in C is told from computing in Python by the watchdog alone: {error}")
        try:
            self._watchdog = Watchdog(self._guarded(self._look), self._open_reader, self._answers)
            self._alarm, self._thread = self._watchdog.alarm, self._watchdog.thread
        except (UnavailableError, OSError) as error:
            self._on_fault(f"stacks are sampled by a polling thread: {error}")
            poll = self._guarded(self._poll)
            self._thread = Thread(lambda: poll(self._stopped_within))
        self._thread_id = self._thread.native_id

    def attach(self, loop: object) -> None:
        """Looks at this thread from now on, and asks it where it is the main one.

        Args:
            loop: whose tasks are named.
        """
        self._sampler.attach(loop, self._thread)
        if self._watchdog is not None:
            self._watchdog.answers = self._answers if _is_main() else None
        if self._answers is not None:
            self._answers.attach(loop)
        if has_gil():
            self._learn_gil()
            self.other_threads.begin()

    def detach(self) -> None:
        """Looks at nobody until it is attached again."""
        self.late_s[0] = NEVER_S
        self.rest()
        if self._watchdog is not None:
            self._watchdog.answers = None
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

    def stop(self) -> None:
        """Ends the watchdog; called in any thread but the watchdog."""
        self._stopped.set()
        if self._watchdog is not None:
            self._watchdog.end()
        elif self._thread is not None:
            self._thread.join()
        self._sampler.close()
        self._release()

    def abandon(self) -> None:
        """Forgets everything in a forked child, where the thread does not exist."""
        self._stopped.set()
        watchdog, self._watchdog, self._alarm = self._watchdog, None, None
        if watchdog is not None:
            watchdog.abandon()
        self._sampler.close()
        self._release()

    def _release(self) -> None:
        answers, self._answers = self._answers, None
        if answers is not None:
            answers.release()

    def put_off(self, now: int, watchdog_ns: int) -> None:
        """Puts the look off.

        Args:
            now: the time in ns.
            watchdog_ns: when the watchdog wakes up, from now.
        """
        answers = self._answers  # another thread may end the watch meanwhile
        if answers is not None and answers.notes:
            answers.drop()
        self._asked_ns = now + watchdog_ns
        alarm = self._alarm
        if alarm is not None:
            alarm.arm(watchdog_ns)

    def rest(self, due_s: float = NEVER_S) -> None:
        """Asks for no look until ``put_off`` is called.

        Args:
            due_s: when that is at the latest, in seconds: where it is overdue for as long as a loop that works would
                be late, it is looked at.
        """
        alarm = self._alarm
        if alarm is None:
            return
        if due_s == NEVER_S:
            alarm.disarm()
        else:
            self._asked_ns = int(due_s * NS_PER_S) + self._overdue_ns
            alarm.at(self._asked_ns)

    def ask_nobody(self) -> None:
        """Has nobody asked from now on, for the interpreter is about to end."""
        if self._watchdog is not None:
            self._watchdog.ask_nobody()

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
        answered_ns = self._collect()
        if answered_ns - self._asked_ns > _KEPT_NS:  # whoever kept the GIL has just given it up
            self._sampler.look_beside(as_of_ns=answered_ns)
        return self._sampler.take()

    def _collect(self) -> int:
        """Makes samples of what the main thread has answered; returns when it last did, 0 for never."""
        at_ns = 0
        answers = self._answers
        for note in () if answers is None else answers.take():
            at_ns = note[0]
            self._sampler.note_answer(self._asked_ns, *note)
        return at_ns

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

    def _stopped_within(self, pause_ns: int) -> bool:
        return self._stopped.wait(pause_ns / NS_PER_S)

    def _open_reader(self) -> None:
        """Finds out, in the watchdog's thread, how to read stacks."""
        try:
            self._sampler.open_reader()
        except UnavailableError as error:
            self._on_fault(f"a free-threaded Python: stacks come from the main thread alone, as it answers: {error}")

    def _poll(self, wait: Wait) -> None:
        """Replaces the alarm where there is none: wakes up twice a threshold to see whether the loop is late."""
        self._open_reader()
        while not wait(self._threshold_ns // 2):
            since = self._busy_since()
            if since and self._clock() - since > self._threshold_ns // 2:
                self._asked_ns = self._clock()
                self._look(wait)

    def _look_when_due(self) -> None:
        """Comes back where a wait for events that goes on is overdue, unless the alarm is set already."""
        now, due_s = self._clock(), self.late_s[0]
        if now < self._asked_ns or self._busy_since():
            return
        if due_s != NEVER_S and now < due_s * NS_PER_S + self._overdue_ns:
            self.rest(due_s)

    def _look(self, wait: Wait) -> None:
        """Samples with growing pauses until the loop gives a sign of life."""
        since = self._busy_since()
        pause_ns = max(self._threshold_ns // 2, _SHORTEST_PAUSE_NS)
        asked_ns = self._asked_ns
        if not since and self._clock() - asked_ns > _KEPT_NS:
            self._sampler.look_beside(anew=True)  # the loop may want to come back from its wait, and not be able to
        while not (since or self._busy_since() or self._stopped.is_set()):
            if not self._sampler.look_into_wait(asked_ns):
                break
            asked_ns = self._clock() + pause_ns
            wait(pause_ns)
        while since and self._busy_since() == since and not self._stopped.is_set():
            self._collect()
            answers = self._answers
            if answers is not None and not FREE_THREADED:
                answers.forget_question()  # it is for where this thread does not come to look
            self._sampler.look(since, asked_ns, asks_itself=answers is not None)
            self._collect()
            pause_ns = -(-pause_ns // NS_PER_MS) * NS_PER_MS  # as poll rounds it, lest every look seem late
            self._asked_ns = asked_ns = self._clock() + pause_ns
            if wait(pause_ns) and self._busy_since() == since and self._alarm is not None:
                self._alarm.clear()  # it was set within the span that is being looked at; one of a later span stands
            pause_ns = min(pause_ns * 5 // 4, _LONGEST_PAUSE_NS)
        self._look_when_due()


def _is_main() -> bool:
    """Returns whether this is the thread that answers when it is asked."""
    return get_native_id() == os.getpid()
