"""Takes a sample of the loop's thread, from its frame or from memory, and of the threads beside it.

Hands on ``Sampler``, which keeps what it has seen until the monitor asks for it. When to look, and whether a watchdog
or the thread itself does, is the observer's matter: this module knows no alarm.

On a free-threaded build a stack is read from memory, and whether the thread computes in Python or in C is told by
whether it takes a step meanwhile. What its task is called the main thread is asked itself; in other threads it is asked
from outside where that can be done.
"""

from collections.abc import Callable
import sys
import time
from types import CodeType, FrameType
from typing import Any

from loopstall.monitor.counters import Counters, cpu_of, gil_futex, syscall_of
from loopstall.monitor.gil import FREE_THREADED, has_gil
from loopstall.monitor.labels import Label, label_of
from loopstall.monitor.memory import StackReader
from loopstall.monitor.samples import (
    COLLECTS_ANYWHERE,
    OtherThreads,
    Sample,
    StackOf,
    ThreadView,
    by_frames,
    frames_beside,
    names_of,
    task_of,
)
from loopstall.monitor.stack import RawStack, capture, interrupts_wait
from loopstall.monitor.syscalls import RUNNING
from loopstall.monitor.threads import Thread, get_ident, get_native_id
from loopstall.records.clock import NS_PER_MS, Clock

__all__ = ["Sampler"]

_SAMPLES = 64  # of one stall; the pause between two grows with its length
_STILL_NS = NS_PER_MS * 2 // 5  # of computing at one step of Python code: C code
_STILL_WITHIN_NS = 4 * NS_PER_MS  # a thread that has not computed that much by then lacks a CPU
_STEP_S = 50e-6
_OUR_DEPTH = 9  # calls from a callback of ours to where it lets others in

_TASKS_ARE_SEEN = not FREE_THREADED or sys.version_info < (3, 14)
"""True where asyncio gives the task of another thread's loop without stopping all threads: see ``memory``."""


class Sampler:
    """Samples the thread that attaches it to its loop, and keeps what it has seen.

    Args:
        busy_since: returns when the loop's present span of work began, in ns; 0 while it waits for events.
        clock: monotonic time in ns.
    """

    def __init__(self, busy_since: Callable[[], int], clock: Clock) -> None:
        self._busy_since = busy_since
        self._clock = clock
        self._ours: set[CodeType] = {Counters.collected.__code__} if COLLECTS_ANYWHERE else set()
        self._loop: object = None
        self._ident = self._native_id = 0
        self._samples: list[Sample] = []
        self._views: list[ThreadView] = []
        self._reader: StackReader | None = None
        self.other_threads = OtherThreads(set(), clock, self._looking)

    @property
    def native_id(self) -> int:
        """The number in the system of the thread that is sampled, 0 before the first is."""
        return self._native_id

    def attach(self, loop: object, watchdog: Thread | None) -> None:
        """Samples this thread from now on.

        Args:
            loop: whose tasks are named.
            watchdog: the thread that looks from outside, which is none of the threads beside it.
        """
        self._loop = loop
        ident = get_ident()
        if ident != self._ident:
            self._ident, self._native_id = ident, get_native_id()
            ignored = {self._native_id, (watchdog and watchdog.native_id) or 0}
            self.other_threads = OtherThreads(ignored, self._clock, self._looking)

    def detach(self) -> None:
        """Names no task until it is attached again."""
        self._loop = None

    def open_reader(self) -> None:
        """Finds out how to read stacks, in the thread that does so most.

        Raises:
            UnavailableError: a free-threaded Python, and the system does not show it its memory.
        """
        if FREE_THREADED:
            self._reader = StackReader()

    def close(self) -> None:
        """Gives back what reading stacks needs."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def take(self) -> tuple[list[Sample], list[ThreadView]]:
        """Hands over what was seen since the last call, in the order of time; the loop's thread calls it."""
        samples, self._samples = self._samples, []
        views, self._views = self._views, []
        return sorted(samples, key=lambda sample: sample.at_ns), views

    def look(self, since: int, asked_ns: int, *, asks_itself: bool) -> None:
        """Samples the loop's thread from outside, and then sees the threads beside it.

        Args:
            since: when the span began within which the thread is looked at.
            asked_ns: when the look was due.
            asks_itself: whether the thread says itself what its task is called.
        """
        if FREE_THREADED:
            self._read(since, asked_ns, asks_itself=asks_itself)
            self.look_beside()
            return
        frames = frames_beside()
        self.note(frames.get(self._ident), asked_ns)
        self._views += self.other_threads.look(by_frames(frames))

    def look_into_wait(self, asked_ns: int) -> bool:
        """Samples the loop's thread where it runs a handler of signals while it should wait for events.

        Args:
            asked_ns: when the look was due.

        Returns:
            Whether it did.
        """
        if FREE_THREADED:
            seen = None if self._reader is None else self._reader.look(self._native_id)
            stack = () if seen is None else seen.stack
        else:
            stack = capture(frames_beside().get(self._ident))
        if not interrupts_wait(stack):
            return False
        if self._has_room():
            syscall = syscall_of(self._native_id, gil_futex.address if has_gil() else 0)
            self._samples.append(
                Sample(self._clock(), asked_ns, by_signal=False, stack=stack, syscall=syscall, in_wait=True)
            )
        return True

    def look_beside(self, *, anew: bool = False, as_of_ns: int = 0) -> None:
        """Sees the threads beside the loop's.

        Args:
            anew: forgets how they were seen before.
            as_of_ns: since when they have not moved; 0 for now.
        """
        views = self.other_threads.look()
        for view in views:
            view.at_ns = as_of_ns or view.at_ns
        self._views = views if anew else self._views + views

    def note(self, frame: FrameType | None, asked_ns: int) -> None:
        """Takes a sample of the loop's thread from a frame that stands still.

        Args:
            frame: where the thread is; None for nowhere.
            asked_ns: when the sample was due.
        """
        if frame is None or not self._has_room():
            return
        inner = self._under_our_own(frame)
        task, coroutine, label = task_of(self._loop)
        sample = Sample(
            at_ns=self._clock(),
            asked_ns=asked_ns,
            by_signal=False,
            stack=capture(inner),
            task=task,
            coroutine=coroutine,
            syscall=syscall_of(self._native_id, gil_futex.address),
            in_c=inner is not frame,
            label=label,
        )
        self._samples.append(sample)

    def note_answer(self, asked_ns: int, at_ns: int, stack: RawStack, task: Any, label: Label | None) -> None:
        """Takes a sample of what the loop's thread has said itself.

        Args:
            asked_ns: when it was asked.
            at_ns: when it answered.
            stack: where it was.
            task: what it ran, None for none.
            label: of that, None for none.
        """
        if not self._has_room():
            return
        name, coroutine = names_of(task)
        sample = Sample(
            at_ns=at_ns,
            asked_ns=min(asked_ns, at_ns),  # without a GIL the next look may be due by now
            by_signal=True,
            stack=stack,
            task=name,
            coroutine=coroutine,
            label=label or (None if task is None else label_of(task)),
        )
        self._samples.append(sample)

    def _has_room(self) -> bool:
        """Returns whether another sample is kept; those of earlier spans, which were no stalls, make room."""
        if len(self._samples) >= _SAMPLES and self._samples[0].at_ns < self._busy_since():
            self._samples = []
        return len(self._samples) < _SAMPLES

    def _read(self, since: int, asked_ns: int, *, asks_itself: bool) -> None:
        """Takes a sample of the loop's thread from memory, unless its span has ended meanwhile."""
        reader = self._reader
        seen = reader.look(self._native_id) if reader is not None and self._has_room() else None
        if reader is None or seen is None:
            return
        task, coroutine, label = ("", "", None) if asks_itself or not _TASKS_ARE_SEEN else task_of(self._loop)
        sample = Sample(
            at_ns=self._clock(),
            asked_ns=asked_ns,
            by_signal=False,
            stack=seen.stack,
            task=task,
            coroutine=coroutine,
            label=label,
            syscall=syscall_of(self._native_id, gil_futex.address if has_gil() else 0),
        )
        sample.still = sample.syscall == RUNNING and self._stands(reader, seen.place)
        if self._busy_since() == since:
            self._samples.append(sample)

    def _stands(self, reader: StackReader, place: tuple[int, int]) -> bool:
        """Returns whether the loop's thread computes for a while and takes no step of Python code."""
        cpu_ns, until = cpu_of(self._native_id), self._clock() + _STILL_WITHIN_NS
        while self._clock() < until and reader.place(self._native_id) == place:
            if cpu_of(self._native_id) - cpu_ns >= _STILL_NS:
                return True
            time.sleep(_STEP_S)
        return False

    def _looking(self) -> StackOf:
        """Begins a look at the threads beside the loop's."""
        if not FREE_THREADED:
            return by_frames()
        reader = self._reader

        def stack_of(_ident: int, thread_id: int) -> RawStack | None:
            seen = None if reader is None else reader.look(thread_id)
            return None if seen is None else seen.stack

        return stack_of

    def _under_our_own(self, frame: FrameType) -> FrameType | None:
        """Returns what a thread does beneath our own code that a C call has let in, else the frame itself.

        A collection in the middle of a C call runs our callback, which lets other threads in; they then meet the call.
        """
        inner: FrameType | None = frame
        for _ in range(_OUR_DEPTH):
            if inner is None:
                break
            if inner.f_code in self._ours:
                return inner.f_back
            inner = inner.f_back
        return frame
