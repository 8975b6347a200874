"""Has a loop's thread looked at by the helper process whenever that thread has not called ``put_off`` in time.

Hands on ``OutsideObserver``. Within the program it puts one alarm off and reads what the helper has left in memory that
both share: it has no thread, takes no signal and walks no frame.
"""

from collections.abc import Callable, MutableSequence
import contextlib
from itertools import takewhile
import json
import sys
from typing import Any
import weakref

from loopstall.monitor.depth import DEPTH
from loopstall.monitor.labels import label_at, label_of
from loopstall.monitor.outside.link import Link, Place, link
from loopstall.monitor.outside.news import told
from loopstall.monitor.outside.seen import sample_of
from loopstall.monitor.outside.slot import Seen, Stack
from loopstall.monitor.outside.tasks import tasks_of
from loopstall.monitor.outside.thread_names import ThreadNames
from loopstall.monitor.probes.base import LATE_NS, NEVER_S
from loopstall.monitor.samples import Sample, ThreadView, names_of
from loopstall.monitor.stack import RawStack, capture
from loopstall.monitor.threads import get_native_id
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_S

__all__ = ["OutsideObserver"]

_PROOF = 1  # frames at the outer end of a stack that have to be the same: file, function and line


class OutsideObserver:
    """Has the thread looked at that attaches it to its loop.

    Args:
        threshold_ns: how long a span is a stall.
        hang_after_s: how long a stall lasts until ``on_hang`` is called, and then each time that it has doubled.
        on_hang: called with a stall that goes on, in a thread of its own; None for nobody.

    Raises:
        UnavailableError: nobody can look from outside here, and why.
    """

    outside = True

    def __init__(
        self,
        *,
        threshold_ns: int,
        hang_after_s: float = 0.0,
        on_hang: Callable[[Stall], object] | None = None,
    ) -> None:
        self._hang_after_s = hang_after_s
        self._on_hang = on_hang
        self._threshold_ns = threshold_ns
        self._link: Link = link()
        self._place: Place | None = None
        self._loop: Callable[[], Any] = lambda: None  # it may be watched no more, and is not to live for longer
        self.late_s: MutableSequence[float] = [NEVER_S]
        self.other_threads = ThreadNames()

    def start(self) -> None:
        """Nothing: the helper runs."""

    def attach(self, loop: Any) -> None:
        """Has this thread looked at from now on.

        Args:
            loop: whose tasks are named.

        Raises:
            UnavailableError: nobody looks, and why.
        """
        self._place = place = self._link.take()
        try:
            self._loop = weakref.ref(loop)
        except TypeError:
            self._loop = lambda: loop
        thread_id = get_native_id()
        if self._on_hang is not None:
            self._link.hears[thread_id] = self._told
            self._link.listen()
        place.slot.attach(thread_id, self._threshold_ns / NS_PER_S, self._hang_after_s)
        self.late_s = place.slot.seconds

    def detach(self) -> None:
        """Has nobody looked at until it is attached again."""
        place, self._place, self._loop = self._place, None, lambda: None
        self.late_s = [NEVER_S]
        if place is not None:  # whose alarm may go off once, for nothing: to set it costs more
            if self._on_hang is not None:
                self._link.hears.pop(place.slot.thread_id, None)
            place.slot.detach()
            self._link.give(place)

    def stop(self) -> None:
        """Ends the looks; any thread may call."""
        self.detach()

    def abandon(self) -> None:
        """Forgets everything in a forked child, which the helper does not look at."""
        self._place = None
        self.late_s = [NEVER_S]

    def put_off(self, _now: int, watchdog_ns: int) -> None:
        """Puts the looks off until ``watchdog_ns`` from now."""
        place = self._place
        if place is not None:
            place.alarm.arm(watchdog_ns)

    def rest(self, due_s: float = NEVER_S) -> None:
        """Has nobody look before the loop should be back from its wait for events, if that is known."""
        place = self._place
        if place is None:
            return
        if due_s == NEVER_S:
            place.alarm.disarm()
        else:
            place.alarm.at(int(due_s * NS_PER_S) + LATE_NS)

    def ask_nobody(self) -> None:
        """Nothing: nobody is asked."""

    @property
    def fault(self) -> str:
        """The reason why nobody looks any more, in a sentence; "" while somebody does."""
        return self._link.fault()

    @property
    def cpu_ns(self) -> int:
        """The CPU time that looking has taken in this process: none."""
        return 0

    @property
    def asked_ns(self) -> int:
        """The time from which on a look was due: any, once the helper has looked; none while it may not have begun."""
        return 0 if self._link.proven else sys.maxsize

    def _told(self, news: bytes) -> None:
        """Passes on that a stall goes on."""
        event, goes_on = told(json.loads(news))
        if self._on_hang is not None and goes_on:
            with contextlib.suppress(Exception):  # what it raises is nobody's
                self._on_hang(event.stall)

    def _true(self, seen: list[Seen]) -> list[Seen]:
        """Leaves out what cannot be so: the calls that this thread is still in must be those that it was seen in."""
        here = _places(capture(sys._getframe(), depth=sys.maxsize))  # noqa: SLF001  # the documented way in
        true = [one for one in seen if len(one.stack) >= DEPTH or _same(one.stack, here) >= _PROOF]
        if len(true) < len(seen) and not self._link.proven:
            self._link.disprove()
            return []
        self._link.proven = self._link.proven or bool(true)
        return true

    def take(self) -> tuple[list[Sample], list[ThreadView]]:
        """Hands over what was seen of the present span; the loop's thread calls it."""
        place = self._place
        seen = self._true(place.slot.seen()) if place is not None else []
        tasks = tasks_of(self._loop(), {one.frame for one in seen})
        names = self.other_threads.take({one.holder_id for one in seen if one.holder_id})
        return [_sample(one, tasks.get(one.frame), names.get(one.holder_id, "")) for one in seen], []


def _places(stack: RawStack) -> Stack:
    return tuple((code.co_filename, code.co_qualname, line) for code, line in stack)


def _same(stack: Stack, other: Stack) -> int:
    """Returns how many frames two stacks have in common at their outer ends."""
    pairs = zip(reversed(stack), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _sample(seen: Seen, task: Any, holder_name: str) -> Sample:
    name, coroutine = names_of(task)
    sample = sample_of(seen, task=name, coroutine=coroutine)
    sample.holder_name = holder_name
    sample.label = (label_of(task) if task is not None else None) or label_at(seen.frame, seen.at_ns)
    return sample
