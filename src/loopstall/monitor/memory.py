"""Stacks of other threads, read from this process' own memory: on free-threaded builds, where nothing else is safe.

There a frame object must not be touched while its thread runs, and ``sys._current_frames()`` stops all threads until
the last one has come to where it can stop: one that computes in C for 200 ms would hold all others up for as long.
The kernel copies memory without either: nobody waits, and an address that is not there any more is an error, not a
crash. What was read while the thread went on may not fit together; it is checked, and left out where it does not.

Where things lie is told by the table that the interpreter keeps for debuggers (``layout``); ``remote`` reads by it. A
reader is trusted only after it has found a stack that it knows. Hands on ``StackReader``; which thread is a loop's, and
when it is looked at, is no matter of this module.
"""

import ctypes
import sys
from typing import NamedTuple

from loopstall.monitor.gil import FREE_THREADED
from loopstall.monitor.kernel import OwnMemory, UnavailableError
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.stack import RawStack, capture
from loopstall.monitor.threads import Latch, Thread

__all__ = ["Seen", "StackReader"]

_FEWEST_PROOFS = 2


class Seen(NamedTuple):
    """The place of a thread: its stack, and the position in it, which changes with every step of Python code."""

    stack: RawStack
    place: tuple[int, int]


class StackReader:
    """Reads where the threads of this process stand.

    Any thread may ask, several at a time, but the one that has made it is spared what CPython does where threads share
    objects, which takes longer than the rest.

    Raises:
        UnavailableError: this process' memory cannot be read, or does not look as expected.
    """

    def __init__(self) -> None:
        self._memory = OwnMemory()
        try:
            runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
            self._reader = RemoteReader(self._memory, runtime, sys.version_info[:2], free_threaded=FREE_THREADED)
            if not _PROVEN.is_set():
                self._prove()
                _PROVEN.set()
        except (UnavailableError, ValueError) as error:  # the last where the interpreter hides its runtime
            self._memory.close()
            raise UnavailableError(f"Python {sys.version.split()[0]} keeps its frames in an unknown way") from error

    def close(self) -> None:
        """Gives the descriptor back."""
        self._memory.close()

    def look(self, thread_id: int) -> Seen | None:
        """Returns where a thread stands, None where it runs no Python code, has ended, or goes on too fast.

        Args:
            thread_id: its number in the system.
        """
        seen = self._reader.walk(thread_id)
        return None if seen is None else Seen(seen[0], seen[1])

    def place(self, thread_id: int) -> tuple[int, int] | None:
        """Returns the place where a thread stands, as ``Seen`` has it, in a fraction of the time."""
        return self._reader.place(thread_id)

    def _prove(self) -> None:
        """Finds the stack of a thread that stands still, and holds it against what Python says."""
        true: list[RawStack] = []
        stands, may_end = Latch(), Latch()

        def stand() -> None:
            true.append(capture(sys._getframe(1)))  # noqa: SLF001  # the documented way in
            stands.set()
            may_end.wait()

        def deeper(calls: int) -> None:
            if calls:
                deeper(calls - 1)
            else:
                stand()

        thread = Thread(lambda: deeper(_FEWEST_PROOFS))
        stands.wait()
        seen = self.look(thread.native_id)
        may_end.set()
        thread.join()
        proof, found = _places(true[0]), _places(seen.stack) if seen is not None else []
        if len(proof) < _FEWEST_PROOFS or found[-len(proof) :] != proof:
            raise UnavailableError("it is not the stack that it should be")


_PROVEN = Latch()
"""True once a stack of this process has been read correctly."""


def _places(stack: RawStack) -> list[tuple[str, str, int]]:
    return [(code.co_filename, code.co_qualname, line) for code, line in stack]
