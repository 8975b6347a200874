"""Asks the main thread where it is, without a signal, and without the GIL.

``Py_AddPendingCall`` has the main thread call a function in C between two bytecodes. It may be called without the GIL,
which whoever asks does not have. So ``AskingPoll`` waits and asks in one call that has given the GIL up:
``makecontext`` and ``swapcontext`` of the C library run one function in C after the other.

The function that the main thread calls is put together from parts in C of the standard library. It needs no frame of
Python's own, so that it works in the innermost call of a recursion; nothing else can run within it, neither a handler
of signals nor a tracer; and what might fail in it is never raised in the program.

From Python 3.13 on the main thread answers at once. Before, another thread's question does not interrupt it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
import ctypes
from functools import partial
from itertools import accumulate, count, repeat, takewhile
import mmap
import operator
import platform
import sys
from types import BuiltinFunctionType
from typing import Any

from loopstall.monitor.depth import DEPTH
from loopstall.monitor.kernel import Poll, UnavailableError
from loopstall.monitor.labels import label_here
from loopstall.monitor.probes import TrioRun
from loopstall.records.clock import Clock

__all__ = ["ANSWERS_AT_ONCE", "Answers", "AskingPoll"]

ANSWERS_AT_ONCE = sys.version_info >= (3, 13)

_KEPT = 8
_STACK_BYTES = 1 << 17
_CONTEXT_BYTES = 1 << 13  # of a ucontext_t, which has 1 to 5 KB
_MACHINES = {"x86_64", "aarch64"}  # where a ucontext_t begins as _Context says
_NO_ONE: Callable[[], Any] = repeat(None).__next__
_NEVER = object()
"""Ends an iterator over what a function returns, if it is ever equal to it."""

_Note = tuple[int, int, Any, Any, Any]
_Callback = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class Answers:
    """The main thread's notes from when it was asked: when that was, its stack, its task and the label of that.

    A question that was asked may be answered after all is over, so that ``take_over`` hands out the same ones again.

    Args:
        clock: monotonic time in ns.
    """

    _idle: "list[Answers]" = []  # noqa: RUF012  # of the class on purpose

    def __init__(self, clock: Clock) -> None:
        self.notes: deque[_Note] = deque(maxlen=_KEPT)
        self.asked = 0
        """The number of questions that have been asked; whoever asks counts."""
        self.answered = self._void = 0
        self._task = [_NO_ONE]
        self._clock = [clock]
        self._count = count(1)
        noting = map(self.notes.append, zip(self._count, *self._parts(), strict=False))
        self._callback = _Callback(partial(next, map(bool, noting)))
        self.function = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        """The address of the function that the main thread calls."""

    @classmethod
    def take_over(cls, clock: Clock) -> "Answers":
        """Returns ones that nobody uses.

        Raises:
            UnavailableError: nobody can be asked on this system.
        """
        if platform.machine() not in _MACHINES or not hasattr(ctypes.PyDLL(None), "makecontext"):
            raise UnavailableError("the C library of this system cannot wait and ask in one")
        if not cls._idle:
            return cls(clock)
        idle = cls._idle.pop()
        idle._clock[0] = clock  # noqa: SLF001  # of its own kind
        idle.drop()
        idle.asked = idle.answered
        return idle

    def attach(self, loop: object) -> None:
        """Names the tasks of a loop from now on."""
        self._task[0] = _task_function(loop)

    def release(self) -> None:
        """Leaves them to another loop."""
        self._task[0] = _NO_ONE
        self._idle.append(self)

    def are_due(self) -> bool:
        """Returns whether a question has not been answered."""
        return self.answered < self.asked

    def forget_question(self) -> None:
        """Counts for nothing what is answered later to what has been asked so far."""
        self._void = self.asked

    def drop(self) -> None:
        """Drops what has been answered."""
        for _ in self.take():
            pass

    def take(self) -> Iterator[tuple[int, Any, Any, Any]]:
        """Yields the answers since the last call: the time in ns, the stack, the task and its label."""
        while self.notes:
            try:
                number, at_ns, stack, task, label = self.notes.popleft()
            except IndexError:  # without a GIL, whoever asks takes them at the same time
                return
            self.answered = number
            if number > self._void:
                yield at_ns, stack, task, label

    def _parts(self) -> tuple[Iterator[Any], ...]:
        """Returns iterators that each give a part of a note, for the thread and the moment in which they are asked."""
        get: Any = operator.getitem
        call: Any = operator.call
        clock: Iterator[int] = map(call, iter(partial(get, self._clock, 0), _NEVER))
        task: Iterator[Any] = map(call, iter(partial(get, self._task, 0), _NEVER))
        label = iter(label_here, _NEVER)
        return clock, _stacks(), task, label


def _stacks() -> Iterator[Any]:
    """Returns an iterator of where the thread is that asks it: a ``RawStack``, as ``capture`` takes it."""
    frames = iter(sys._getframe, _NEVER)  # noqa: SLF001  # the documented way in
    outwards = map(accumulate, zip(frames, *repeat(repeat("f_back"), DEPTH - 1), strict=False), repeat(getattr))
    existing = map(takewhile, repeat(partial(operator.is_not, None)), outwards)
    return map(tuple, map(map, repeat(operator.attrgetter("f_code", "f_lineno")), existing))


def _task_function(loop: object) -> Callable[[], Any]:
    """Returns a function in C that returns the task that a loop is running, None for none."""
    if isinstance(loop, TrioRun):
        return loop.task_getter()
    if isinstance(loop, asyncio.AbstractEventLoop) and isinstance(asyncio.current_task, BuiltinFunctionType):
        return partial(asyncio.current_task, loop)
    return _NO_ONE


class _Context:
    """A ucontext_t of the C library: a function in C with a stack of its own, and what runs after it.

    Args:
        after: the context that goes on when the function returns; None for the caller's own context.
    """

    def __init__(self, after: "_Context | None" = None) -> None:
        libc = ctypes.PyDLL(None)
        self._make = libc.makecontext
        self._memory = ctypes.create_string_buffer(_CONTEXT_BYTES)
        self.address = ctypes.c_void_p(ctypes.addressof(self._memory))
        libc.getcontext(self.address)
        if after is not None:
            memory = mmap.mmap(-1, _STACK_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self._stack = (ctypes.c_char * _STACK_BYTES).from_buffer(memory)
            head = (ctypes.c_void_p * 5).from_buffer(self._memory)  # flags, link, stack: address, flags, size
            head[1], head[2], head[3], head[4] = after.address.value, ctypes.addressof(self._stack), 0, _STACK_BYTES

    def calls(self, function: Any, *arguments: int) -> None:
        """Makes it call a function once."""
        words = [ctypes.c_void_p(argument) for argument in arguments]
        self._make(self.address, ctypes.cast(function, ctypes.c_void_p), len(words), *words)


class AskingPoll:
    """Waits as a ``Poll`` does and then asks the main thread, before it wants the GIL back.

    Made in the thread that waits.

    Args:
        poll: what it waits for.
    """

    def __init__(self, poll: Poll) -> None:
        self._poll = poll
        libc = ctypes.CDLL(None)
        self._wait, self._swap = libc.poll, libc.swapcontext
        self._own = _Context()
        self._asks = _Context(self._own)
        self._waits = _Context(self._asks)

    def wait(self, pause_ms: int, answers: Answers) -> None:
        """Waits for so long at most, for ever for -1, and asks."""
        self._waits.calls(self._wait, *self._poll.arguments, pause_ms & 0xFFFFFFFF)
        self._asks.calls(ctypes.pythonapi.Py_AddPendingCall, answers.function, 0)
        self._swap(self._own.address, self._waits.address)
        answers.asked += 1
