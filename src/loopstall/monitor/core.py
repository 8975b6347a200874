"""The monitor of one loop: what its probe times and its observer sees becomes stalls."""

import asyncio
import atexit
from collections import Counter
from collections.abc import Callable
import contextlib
import os
import sys
import threading
from typing import Any
import weakref

from loopstall.monitor.cause import classify
from loopstall.monitor.counters import GIL, RUNNING, CounterReading, Counters, Throttle
from loopstall.monitor.gil import has_gil
from loopstall.monitor.observer import Observer
from loopstall.monitor.probes import probe_for
from loopstall.monitor.samples import READY, Sample, ThreadView
from loopstall.monitor.series import Tally
from loopstall.monitor.stack import capture, resolve
from loopstall.monitor.stall_log import StallLog
from loopstall.records import Evidence, Frame, StackSample, Stall
from loopstall.records.clock import NS_PER_MS, Clock, now_ns
from loopstall.records.frames import culprit, is_users

__all__ = ["Monitor"]

_GLIMPSES = 8  # of one stall that are kept
_LATE_NS = NS_PER_MS * 2 // 5  # for an answer: what the watchdog itself takes while it looks is less
_MOST = 0.5
_PROMPT_NS = NS_PER_MS  # for the watchdog to get the GIL: less than anybody keeps it who computes in Python
_FLOOR_NS = NS_PER_MS  # shorter spans of work are not counted


class Monitor:
    """Watches one loop from ``start`` to ``stop``.

    Args:
        threshold_ns: what counts as a stall.
        kept: how many stalls are kept in full; all are counted.
        stall_log: where to enter them, for a watch that goes on with an earlier one's; a new one of that size for None.
        clock: monotonic time in ns.
        on_stall: called in the loop's thread with every stall when it has ended.
    """

    def __init__(
        self,
        *,
        threshold_ns: int = 5 * NS_PER_MS,
        kept: int = 100,
        stall_log: StallLog | None = None,
        clock: Clock = now_ns,
        on_stall: Callable[[Stall], object] | None = None,
    ) -> None:
        self.threshold_ns = threshold_ns
        self._clock = clock
        self._on_stall = on_stall
        self.stall_log = StallLog(kept) if stall_log is None else stall_log
        self.spans = Tally()
        """Spans of work over 1 ms, by length: what a callback that fell due in one had to wait, at most."""
        self.faults: list[str] = []
        self.started_ns = 0
        self.ended_ns = 0
        self._overran_ns = 0
        self._looked_ns = 0
        self._loop: Any = None
        self._baseline: CounterReading | None = None
        self._run_forever: Callable[[], None] | None = None
        self._views: list[ThreadView] = []
        self._waiting: list[Sample] = []

    def start(self, loop: Any = None) -> None:
        """Starts watching, in the loop's own thread.

        Args:
            loop: the loop that runs in this thread, or is about to; None for that of asyncio or uvloop that runs.
        """
        self.attach(loop or asyncio.get_running_loop())
        self._watch_restarts()

    def attach(self, loop: Any) -> None:
        """Watches a loop in its own thread until ``detach``, after which another one may come, in any thread.

        Args:
            loop: it runs in this thread, or is about to.
        """
        if not self.started_ns:
            self._open()
        self._ident = threading.get_ident()
        self._observer.attach(loop)
        self._counters.attach()
        self._probe = probe_for(
            loop,
            threshold_ns=self.threshold_ns,
            floor_ns=min(self.threshold_ns, _FLOOR_NS),
            clock=self._clock,
            listener=self,
        )
        self._overran_ns, self._looked_ns, self._baseline = 0, self._observer.cpu_ns, None
        self._loop = loop
        self._probe.install()

    def detach(self) -> None:
        """Watches the loop no more, which has just stopped in this thread; the span that ended with it counts."""
        if self.ended_ns:  # another thread has ended the watch meanwhile
            return
        self._probe.tell(self._clock())
        self._probe.remove()
        self._loop = None
        self._observer.detach()

    def _open(self) -> None:
        self._throttle = Throttle()
        self._observer = Observer(
            busy_since=lambda: self.busy_since_ns,
            threshold_ns=self.threshold_ns,
            clock=self._clock,
            on_fault=self.faults.append,
        )
        self._observer.start()
        self._counters = Counters(self._clock)
        self.started_ns = self._clock()
        _ACTIVE.add(self)

    def _watch_restarts(self) -> None:
        """Has the loop tell when it is run anew: what lies between two runs is no stall."""
        inner = getattr(self._loop, "run_forever", None)
        if inner is None:
            return

        def run_forever() -> None:
            if not self.ended_ns:
                self._probe.restart()
            inner()

        self._run_forever = run_forever
        with contextlib.suppress(AttributeError):  # a loop that takes no attributes
            self._loop.run_forever = run_forever

    def stop(self) -> None:
        """Ends the watch; a span of work that is going on at this moment counts as it stands. Any thread may call."""
        if self.ended_ns:
            return
        self.ended_ns = self._clock()
        _ACTIVE.discard(self)
        if not self.started_ns:
            return
        loop = self._loop
        if loop is not None and threading.get_ident() == self._ident:
            if loop.is_running():
                self._probe.tell(self.ended_ns)
            self._probe.remove()
        elif loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._probe.remove)
        if self._run_forever and getattr(loop, "__dict__", {}).get("run_forever") is self._run_forever:
            del loop.run_forever
        self._observer.stop()
        self._counters.close()

    def abandon(self) -> None:
        """Leaves a forked child unwatched and clean."""
        if not self.ended_ns:
            self.ended_ns = self._clock()
            if self._loop is not None:
                self._probe.remove()
            self._observer.abandon()
            self._counters.close()

    @property
    def busy_since_ns(self) -> int:
        """When the loop's present span of work began, 0 while it waits for events."""
        loop = self._loop
        return self._probe.busy_since() if loop is not None and loop.is_running() else 0

    @property
    def wall_ns(self) -> int:
        """For how long has been watched."""
        return (self.ended_ns or self._clock()) - self.started_ns

    def expect(self, due_ns: int) -> None:
        """Notes when the loop will have a file to read, in its own thread: waiting longer for events was late."""
        self._probe.expect(due_ns)

    def alive(self, now: int, watchdog_ns: int, signal_ns: int) -> None:
        """Puts the looks off and takes the counters' stand, unless the present span has long begun."""
        if self.ended_ns:
            return
        reading = self._counters.read()
        if self._baseline is None or (not self._overran_ns and reading.at_ns - now < NS_PER_MS):
            self._baseline = reading
        self._observer.put_off(now, watchdog_ns, signal_ns)

    def rest(self) -> None:
        """Asks for no look while the loop waits for events."""
        if not self.ended_ns:
            self._observer.rest()

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
                self.faults.append(f"a stall could not be looked into: {type(error).__name__}: {error}")
        self._overran_ns = 0
        if self._waiting:
            self._views, self._waiting = [], []

    def _enter(self, start: int, end: int) -> None:
        samples, views = self._observer.take()
        after = self._counters.read()
        samples = self._waiting + [sample for sample in samples if start <= sample.at_ns <= end + NS_PER_MS]
        evidence = self._evidence(start, end, samples, after)
        self._baseline = after
        cause, rule = classify(evidence)
        stacks = [resolve(sample.stack) for sample in samples]
        worst = _blamed(stacks)
        holder, thread = None, ""
        if cause == "gil-wait":
            seen = [view for view in views + self._views if start <= view.at_ns <= end]
            holder, thread = _holder(seen or self._observer.other_threads.look(), end - start)
        named = next((sample for sample in samples if sample.task), None)
        stall = Stall(
            start_ns=start - self.started_ns,
            duration_ns=end - start,
            cause=cause,
            rule=rule,
            culprit=worst,
            stack=next((stack for stack in stacks if culprit(stack) == worst), ()),
            task=named.task if named else "",
            coroutine=named.coroutine if named else "",
            label=next((sample.label() for sample in samples if sample.label is not None), ""),
            glimpses=_glimpses(samples, stacks, start),
            holder=holder,
            holder_thread=thread,
            evidence=evidence,
        )
        self.stall_log.add(stall)
        if self._on_stall is not None:
            self._on_stall(stall)

    def _evidence(self, start: int, end: int, samples: list[Sample], after: CounterReading) -> Evidence:
        before = self._baseline or after
        own_ns = after.own_cpu_ns - before.own_cpu_ns
        delay_ns = None
        if after.run_delay_ns is not None and before.run_delay_ns is not None:
            delay_ns = after.run_delay_ns - before.run_delay_ns
        looks = [sample for sample in samples if not sample.by_signal and sample not in self._waiting]
        looked_before_ns, self._looked_ns = self._looked_ns, self._observer.cpu_ns
        answers = [sample for sample in samples if sample.by_signal]
        waits = _waits(answers)
        gil = has_gil()
        return Evidence(
            duration_ns=end - start,
            threshold_ns=self.threshold_ns,
            window_ns=after.at_ns - before.at_ns,
            own_cpu_ns=own_ns,
            other_cpu_ns=max(
                0, after.process_cpu_ns - before.process_cpu_ns - own_ns - (self._looked_ns - looked_before_ns)
            ),
            run_delay_ns=delay_ns,
            throttled_ns=min(self._throttle.since_last_ns(), end - start),
            gc_ns=after.gc_ns - before.gc_ns,
            overran_ns=self._overran_ns,
            starved_ns=_starved_ns(looks, max(self._observer.asked_ns, start), end),
            asked=len(waits),
            late=sum(wait > _LATE_NS or one.in_c for wait, one in zip(waits, answers, strict=True)),
            unanswered_ns=sum(waits),
            looks=len(looks),
            in_c=sum(look.in_c for look in looks),
            free=sum(gil and s.syscall == RUNNING and s.at_ns - s.asked_ns < _PROMPT_NS for s in looks),
            still=sum(look.still for look in looks),
            gil=gil,
            syscalls=tuple(s.syscall for s in looks if _says_something(s, end - start)),
        )


def _blamed(stacks: list[tuple[Frame, ...]]) -> Frame | None:
    """Returns the culprit of most stacks; those that show the loop between two callbacks count where there is no other.

    Such a one ends in a library, and is the outer part of the others.
    """
    inside = [
        stack
        for stack in stacks
        if stack and (is_users(stack[0].file) or not any(other[-len(stack) :] == stack != other for other in stacks))
    ]
    blamed = Counter(frame for frame in map(culprit, inside) if frame is not None).most_common(1)
    return blamed[0][0] if blamed else None


def _says_something(look: Sample, length_ns: int) -> bool:
    """Says whether a look tells what the loop waited for during a stall of a length.

    That it waits for the GIL, one that came promptly does not: it may be the watchdog itself that has it. What else it
    waits for, one that was kept out for most of the stall does not: it met what came after.
    """
    late_ns = look.at_ns - look.asked_ns
    if look.syscall == GIL:
        return late_ns >= _PROMPT_NS
    return look.syscall not in {"", RUNNING} and late_ns < length_ns * _MOST


def _starved_ns(looks: list[Sample], asked_ns: int, end: int) -> int:
    """Returns the longest time in ns that the watchdog was kept from a look, the one still due at the end included."""
    pending_ns = end - asked_ns if not looks or asked_ns > looks[-1].at_ns else 0
    return max(0, pending_ns, *(look.at_ns - look.asked_ns for look in looks))


def _waits(answers: list[Sample]) -> list[int]:
    """Returns for how long each signal waited for its answer in ns, overlaps counted once."""
    waits: list[int] = []
    answered = 0
    for sample in answers:
        waits.append(max(0, sample.at_ns - max(sample.asked_ns, answered)))
        answered = sample.at_ns
    return waits


def _holder(views: list[ThreadView], length_ns: int) -> tuple[Frame | None, str]:
    """Chooses who held the GIL: of the threads that computed, best one that wants it back, and none that has no need.

    It is taken where it had computed for longest since the look before: there it gave the GIL up. What a thread has
    computed before the stall does not count: none can have used more than its length.
    """
    used: Counter[str] = Counter()
    rank: Counter[str] = Counter()
    for view in views:
        used[view.name] = min(length_ns, used[view.name] + view.cpu_ns)
        rank[view.name] = max(rank[view.name], _RANK.get(view.state, 1))
    able = [view for view in views if used[view.name] >= length_ns * _ABLE_SHARE] or views
    chosen = max(able, key=lambda view: (rank[view.name], used[view.name], view.cpu_ns), default=None)
    return (culprit(resolve(chosen.stack)), chosen.name) if chosen is not None else (None, "")


_ABLE_SHARE = 0.6  # of the stall, that whoever held the GIL has computed
_RANK = {GIL: 3, READY: 2, RUNNING: 0}
"""Who may have held the GIL, by what it is in afterwards; waiting for anything else: 1."""


def _glimpses(samples: list[Sample], stacks: list[tuple[Frame, ...]], start: int) -> tuple[StackSample, ...]:
    """Returns where the loop's thread was seen, a bounded number of times, evenly over the stall."""
    every = max(1, -(-len(samples) // _GLIMPSES))
    return tuple(
        StackSample(at_ns=sample.at_ns - start, culprit=culprit(stack), state=sample.syscall)
        for sample, stack in zip(samples[::every], stacks[::every], strict=True)
    )


_ACTIVE: "weakref.WeakSet[Monitor]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for monitor in tuple(_ACTIVE):
        monitor.abandon()
    _ACTIVE.clear()


def _at_exit() -> None:
    """Sends no more signals: the interpreter takes its handlers away before the process ends."""
    for monitor in tuple(_ACTIVE):
        monitor.rest()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
