"""Samples of the loop's thread while it is late, and of the threads beside it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import gc
import sys
import threading
from types import FrameType
from typing import Any

from loopstall.monitor.counters import cpu_of, gil_futex, syscall_of
from loopstall.monitor.gil import has_gil
from loopstall.monitor.labels import Label, label_of
from loopstall.monitor.probes import CurioRun, TrioRun
from loopstall.monitor.stack import RawStack, capture
from loopstall.monitor.syscalls import READY, RUNNING
from loopstall.monitor.threads import get_ident
from loopstall.records.clock import Clock

__all__ = [
    "COLLECTS_ANYWHERE",
    "OtherThreads",
    "Sample",
    "StackOf",
    "ThreadView",
    "by_frames",
    "frames_beside",
    "names_of",
    "task_of",
]

_VIEWS = 4  # threads told of in one look
COLLECTS_ANYWHERE = sys.version_info < (3, 12)
"""True where garbage is collected in the middle of C calls, and not between bytecodes alone."""

StackOf = Callable[[int, int], RawStack | None]
"""Returns the place of a thread, by its identifier and its number in the system; None where it is unknown."""

_STANDING_NS = 30_000  # of CPU time during all looks
_LOOKS = 60  # at a thread's state, some 3 µs each


@dataclass(slots=True)
class Sample:
    """The loop's thread at one moment.

    ``asked_ns`` is when the sample was due, ``at_ns`` when it could be taken: between the two somebody kept the GIL
    or the CPU. ``by_signal`` says that the thread took it itself; ``in_c``, that it came out of the middle of a C call,
    however promptly; ``still``, that the thread stood at one step of Python code while it computed;
    ``in_wait``, that it ran a handler of the program's in the middle of its wait for events.

    Of a look from outside, ``stepped`` says that the thread took steps of Python code while it was looked at;
    ``holder_id``, ``holder`` and ``holder_name`` are number, stack and name of the thread that held the GIL, where this
    one waited for it;
    ``frame`` is the address of the frame of the outermost coroutine, 0 where there is none.
    """

    at_ns: int
    asked_ns: int
    by_signal: bool
    stack: RawStack
    task: str = ""
    coroutine: str = ""
    syscall: str = ""
    in_c: bool = False
    still: bool = False
    in_wait: bool = False
    label: Label | None = None
    stepped: bool = False
    holder_id: int = 0
    holder: RawStack = ()
    holder_name: str = ""
    frame: int = 0


@dataclass(slots=True)
class ThreadView:
    """Another thread: where it stands, what it has computed since the last look, and what it is in: see ``syscall_of``.

    Whoever looks has the GIL: a thread that runs meanwhile computes without.
    """

    at_ns: int
    name: str
    cpu_ns: int
    stack: RawStack
    state: str


def by_frames(frames: Mapping[int, FrameType] | None = None) -> StackOf:
    """Looks at other threads through their frames, which stand still while the caller has the GIL.

    Args:
        frames: as ``frames_beside`` returns them; those of this moment for None.
    """
    known = frames_beside() if frames is None else frames

    def stack_of(ident: int, _thread_id: int) -> RawStack | None:
        frame = known.get(ident)
        return None if frame is None else capture(frame)

    return stack_of


def frames_beside() -> dict[int, FrameType]:
    """Returns where every other thread stands.

    The caller's own frame is left out: it would refer to itself by this dictionary, and only the garbage collector
    would free it, together with all that the frames of other threads hold.
    """
    # Python 3.11 may collect garbage in the middle of this and wait for ever for a lock that it holds itself (cpython
    # issue 106883); later ones collect between bytecodes alone.
    collecting = COLLECTS_ANYWHERE and gc.isenabled()
    if collecting:
        gc.disable()
    try:
        frames = sys._current_frames()  # noqa: SLF001  # the documented way in
    finally:
        if collecting:
            gc.enable()
    del frames[get_ident()]
    return frames


class OtherThreads:
    """The other Python threads of the process, seen from a thread that holds the GIL; nobody where there is none.

    Args:
        ignored: numbers in the system of threads that are not looked at.
        clock: monotonic time in ns.
        looking: begins a look at them all.
    """

    def __init__(self, ignored: set[int], clock: Clock, looking: Callable[[], StackOf] = by_frames) -> None:
        self._ignored = ignored
        self._clock = clock
        self._looking = looking
        self._before: dict[int, int] = {}

    def begin(self) -> None:
        """Takes down what each thread has computed so far."""
        for thread in _threads() if has_gil() else ():
            if thread.native_id is not None and thread.native_id not in self._ignored:
                self._before[thread.native_id] = cpu_of(thread.native_id)

    def look(self, stack_of: StackOf | None = None) -> list[ThreadView]:
        """Returns the threads that have computed since the last look, the busiest first: one of them had the GIL."""
        if not has_gil():
            return []
        stack_of = stack_of or self._looking()
        before, self._before = self._before, {}
        now = self._clock()
        busy: list[tuple[int, threading.Thread, int]] = []
        for thread in _threads():
            number = thread.native_id
            if number is None or number in self._ignored:
                continue
            cpu_ns = self._before[number] = cpu_of(number)
            used_ns = cpu_ns - before.get(number, 0)
            if used_ns > 0:
                busy.append((used_ns, thread, number))
        busy.sort(key=lambda one: one[0], reverse=True)
        del busy[_VIEWS:]
        stacks = [stack_of(thread.ident or 0, number) for _, thread, number in busy]  # at once: it may end soon
        states = _settled_states([number for _, _, number in busy])
        return [
            ThreadView(now, thread.name, used_ns, stack, states[number])
            for (used_ns, thread, number), stack in zip(busy, stacks, strict=True)
            if stack is not None
        ]


def _threads() -> tuple[threading.Thread, ...]:
    """Returns the threads of Python; ``threading.enumerate`` would take a lock that whoever is looked at may hold."""
    return tuple(threading._active.copy().values())  # type: ignore[attr-defined]  # noqa: SLF001  # as said


def _settled_states(thread_ids: list[int]) -> dict[int, str]:
    """Returns what threads are in; one that has just given the GIL up takes a while until it sleeps for it.

    ``READY`` is one that would run and has no CPU: its clock stands still.
    """
    states = dict.fromkeys(thread_ids, RUNNING)
    used = {number: cpu_of(number) for number in thread_ids}
    for _ in range(_LOOKS):
        running = [number for number, state in states.items() if state == RUNNING]
        if not running:
            break
        for number in running:
            states[number] = syscall_of(number, gil_futex.address)
    for number, state in states.items():
        if state == RUNNING and cpu_of(number) - used[number] < _STANDING_NS:
            states[number] = READY
    return states


def task_of(loop: Any) -> tuple[str, str, Label | None]:
    """Returns the name of the task that a loop is running, that of its coroutine, and its label; "" for none."""
    try:
        if isinstance(loop, CurioRun):
            return *loop.current_task(), None
        task = None if isinstance(loop, TrioRun) else asyncio.current_task(loop)
    except Exception:  # noqa: BLE001  # a loop or a Python that does not tell from another thread
        return "", "", None
    return *names_of(task), None if task is None else label_of(task)


def names_of(task: Any) -> tuple[str, str]:
    """Returns the names of a task and of its coroutine, "" for what it has none of."""
    if task is None:
        return "", ""
    if hasattr(task, "get_coro"):
        return str(task.get_name()), _name_of(task.get_coro())
    name = f"{task.name}-{task.id}" if hasattr(task, "id") else str(task.name)  # curio's, trio's
    return name, _name_of(task.coro)


def _name_of(coroutine: object) -> str:
    return str(getattr(coroutine, "__qualname__", type(coroutine).__name__))
