"""Watches the event loops of a process that runs already, from outside, until it ends or somebody has had enough.

Hands on ``watch_process``. What is made of stalls is its caller's matter.
"""

from collections.abc import Callable
import time

from loopstall.monitor.outside.attached import Attached
from loopstall.monitor.outside.poll import LoopPoll, Span
from loopstall.monitor.outside.seen import stall_from
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_MS, NS_PER_S, epoch_s, now_ns

__all__ = ["interval_of", "watch_process"]

_SHARE = 4  # looks in a span as long as the threshold
_SHORTEST_NS, _LONGEST_NS = NS_PER_MS, 10 * NS_PER_MS
_SEARCH_NS = NS_PER_S  # between two searches for loops


def interval_of(threshold_ns: int) -> int:
    """Returns how many ns lie between two looks at a loop."""
    return min(max(threshold_ns // _SHARE, _SHORTEST_NS), _LONGEST_NS)


def watch_process(
    process: Attached,
    *,
    threshold_ns: int,
    hang_after_ns: int,
    duration_ns: int,
    found: Callable[[int, str], object],
    told: Callable[[StallEvent, bool], object],
    meanwhile: Callable[[], object],
) -> str:
    """Watches until the process ends or the time is over; returns in a sentence what has ended it.

    Args:
        process: that is watched.
        threshold_ns: from when on a span without progress is a stall.
        hang_after_ns: from when on a stall is told while it lasts.
        duration_ns: for how long; 0 for as long as it lives.
        found: called with the thread and the kind of each loop that is found; with 0 and "" where none is.
        told: called with each stall, and with whether it goes on.
        meanwhile: called after each look.

    Raises:
        KeyboardInterrupt: somebody has had enough; the stalls that go on have been told.
    """
    watch = _Watch(process, threshold_ns, hang_after_ns, found, told)
    end_ns = now_ns() + duration_ns if duration_ns else 0
    interval_ns = interval_of(threshold_ns)
    try:
        while not end_ns or now_ns() < end_ns:
            due_ns = now_ns() + interval_ns
            if not watch.look():
                return "The process has ended."
            meanwhile()
            time.sleep(max(0, due_ns - now_ns()) / NS_PER_S)
    finally:
        watch.close()
    return "The time to watch was over."


class _Watch:
    """The loops of a process that are known so far."""

    def __init__(
        self,
        process: Attached,
        threshold_ns: int,
        hang_after_ns: int,
        found: Callable[[int, str], object],
        told: Callable[[StallEvent, bool], object],
    ) -> None:
        self._process = process
        self._threshold_ns = threshold_ns
        self._hang_after_ns = hang_after_ns
        self._found = found
        self._told = told
        self._polls: dict[int, LoopPoll] = {}
        self._search_due_ns = 0
        self._searched = False
        self._title = _title(process)

    def look(self) -> bool:
        """Looks at each loop once; False where the process has ended."""
        now = now_ns()
        if now >= self._search_due_ns:
            if not self._process.alive:
                return False
            self._search_due_ns = now + _SEARCH_NS
            self._search()
        for poll in tuple(self._polls.values()):
            self._tell(poll, poll.poll())
            if poll.ended:
                del self._polls[poll.thread_id]
        return True

    def close(self) -> None:
        """Tells the stalls that go on, which are not watched any longer."""
        for poll in self._polls.values():
            self._tell(poll, poll.close())

    def _search(self) -> None:
        for thread_id, kind in self._process.loops():
            if thread_id not in self._polls:
                self._found(thread_id, kind)
                self._polls[thread_id] = LoopPoll(
                    self._process,
                    thread_id,
                    kind,
                    threshold_ns=self._threshold_ns,
                    hang_after_ns=self._hang_after_ns,
                    clock=now_ns,
                )
        if not self._searched and not self._polls:
            self._found(0, "")
        self._searched = True

    def _tell(self, poll: LoopPoll, span: Span | None) -> None:
        if span is not None:
            self._told(self._event(poll, span), span.open)

    def _event(self, poll: LoopPoll, span: Span) -> StallEvent:
        process = self._process
        stall = stall_from(
            span.seen,
            since_s=span.since_ns / NS_PER_S,
            until_s=span.until_ns / NS_PER_S,
            threshold_ns=self._threshold_ns,
            cpu_ns=span.cpu_ns,
            delay_ns=span.delay_ns,
            counted_s=span.counted_ns / NS_PER_S,
            task_of=process.task_of,
            thread_name=lambda number: process.name(number) or str(number),
            gil=not process.free_threaded,
        )
        return StallEvent(
            stall=stall,
            length_ns=span.length_ns,
            at=epoch_s(span.since_ns),
            process=self._title,
            thread=process.name(poll.thread_id) or str(poll.thread_id),
        )


def _title(process: Attached) -> str:
    """Returns what the process is called, and its number."""
    words = process.command.split()
    script = next((word for word in words[1:] if not word.startswith("-")), "") or "python"
    return f"{script.rpartition('/')[2]} {process.pid}"
