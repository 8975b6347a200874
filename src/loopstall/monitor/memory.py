"""Stacks of other threads, read from this process' own memory: on free-threaded builds, where nothing else is safe.

There a frame object must not be touched while its thread runs, and ``sys._current_frames()`` stops all threads until
the last one has come to where it can stop: one that computes in C for 200 ms would hold all others up for as long.
The kernel copies memory without either: nobody waits, and an address that is not there any more is an error, not a
crash. What was read while the thread went on may not fit together; it is checked, and left out where it does not.

Where things lie is told by the table that the interpreter keeps for debuggers (``debug_offsets``). A reader trusts it
only after it has found a stack that it knows by it. Hands on ``StackReader``; which thread is a loop's, and when it is
looked at, is no matter of this module.
"""

from bisect import bisect_right
from collections.abc import Iterator
import contextlib
import ctypes
import struct
import sys
import threading
from types import CodeType
from typing import NamedTuple

from loopstall.monitor.debug_offsets import ASCII_BIT, WIDTH_BITS, DebugOffsets, UnknownLayoutError
from loopstall.monitor.kernel import OwnMemory, UnavailableError
from loopstall.monitor.line_table import BYTES_PER_UNIT, line_starts
from loopstall.monitor.stack import DEPTH, Code, RawStack, capture

__all__ = ["Seen", "StackReader"]

_TAGS = 7  # low bits of a pointer that say how it is counted
_BY_INTERPRETER = 3  # who owns a frame: from here on it runs no code in Python
_MOST_THREADS = 10_000
_CODES_KEPT = 4096
_LONGEST_TEXT = 10_000
_LONGEST_TABLE = 1_000_000
_INT_BITS = 0xFFFFFFFF
_DEEPER = 16  # calls that a thread may return from while it is looked at
_TRIES = 3
_FEWEST_PROOFS = 2
_COMPACT_BYTES = 16  # between the head and the letters of a text that is not ASCII


class _TornError(Exception):
    """The values that were read do not fit together: the thread has gone on, or has ended."""


class SeenCode(NamedTuple):
    """The parts of a code object that a stack needs: a free-threaded build never frees all of the object itself."""

    co_filename: str
    co_qualname: str


class Seen(NamedTuple):
    """The place of a thread: its stack, and the position in it, which changes with every step of Python code."""

    stack: RawStack
    place: tuple[int, int]


class _Frame(NamedTuple):
    """A frame as it lies there: what links it to its caller, its place, and what tells its line if it has one."""

    link: tuple[int, int, int]
    pointer: int
    code: tuple[int, int, int] | None


class _Known(NamedTuple):
    """A code object, known again by ``identity``, with where its lines begin."""

    identity: tuple[int, ...]
    code: Code
    starts: list[int]
    lines: list[int]


class StackReader:
    """Reads where the threads of this process stand.

    Any thread may ask, several at a time, but the one that has made it is spared what CPython does where threads share
    objects, which takes longer than the rest.

    Raises:
        UnavailableError: this process' memory cannot be read, or does not look as expected.
    """

    def __init__(self) -> None:
        self._memory = OwnMemory()
        self._codes: dict[int, _Known] = {}
        self._threads: dict[int, int] = {}
        try:
            self._offsets = DebugOffsets(self._memory)
            current = ctypes.pythonapi["PyThreadState_Get"]
            current.restype = ctypes.c_void_p
            self._interpreter = self._word(current() + self._offsets["thread.interp"])
            if not _PROVEN.is_set():
                self._prove()
                _PROVEN.set()
        except (_TornError, UnknownLayoutError, AttributeError, ValueError, struct.error) as error:
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
        for _ in range(_TRIES):
            with contextlib.suppress(_TornError):
                return self._walk(self._thread(thread_id))
        return None

    def place(self, thread_id: int) -> tuple[int, int] | None:
        """Returns the place where a thread stands, as ``Seen`` has it, in a fraction of the time."""
        try:
            frame = self._word(self._thread(thread_id) + self._offsets["thread.current_frame"])
            pointer = self._word(frame + self._offsets["frame.instr_ptr"])
        except _TornError:
            return None
        return (frame, pointer) if pointer else None  # a frame of a thread that has ended points nowhere

    def _prove(self) -> None:
        """Finds the stack of a thread that stands still, and holds it against what Python says."""
        true: list[RawStack] = []
        stands, may_end = threading.Event(), threading.Event()

        def stand() -> None:
            true.append(capture(sys._getframe(1)))  # noqa: SLF001  # the documented way in
            stands.set()
            may_end.wait()

        thread = threading.Thread(target=stand, name="loopstall-proof", daemon=True)
        thread.start()
        stands.wait()
        seen = self.look(thread.native_id or 0)
        may_end.set()
        thread.join()
        proof, found = _places(true[0]), _places(seen.stack) if seen is not None else []
        if len(proof) < _FEWEST_PROOFS or found[-len(proof) :] != proof:
            raise UnknownLayoutError

    def _read(self, address: int, size: int) -> bytes:
        data = self._memory.read(address, size)
        if len(data) < size:
            raise _TornError
        return data

    def _word(self, address: int) -> int:
        return _word_in(self._read(address, 8), 0)

    def _thread(self, thread_id: int) -> int:
        """Returns the address of a thread's state."""
        native_id = self._offsets["thread.native_thread_id"]
        known = self._threads.get(thread_id, 0)
        if known and self._word(known + native_id) == thread_id:
            return known
        state = self._word(self._interpreter + self._offsets["interpreter.threads_head"])
        for _ in range(_MOST_THREADS):
            if not state:
                break
            if self._word(state + native_id) == thread_id:
                if len(self._threads) >= _MOST_THREADS:
                    self._threads.clear()
                self._threads[thread_id] = state
                return state
            state = self._word(state + self._offsets["thread.next"])
        raise _TornError

    def _walk(self, thread: int) -> Seen:
        """Reads a stack twice, and keeps what stood in between: all but what a thread calls while it is looked at."""
        before = {one.link for one in self._frames(thread, DEPTH + _DEEPER)}
        after = list(self._frames(thread, DEPTH))
        moving = next((at for at in range(len(after), 0, -1) if after[at - 1].link not in before), 0)
        stack = [self._line(*one.code) for one in after[moving:] if one.code is not None]
        if not stack:
            raise _TornError
        return Seen(tuple(stack), (after[0].link[0], after[0].pointer))

    def _frames(self, thread: int, most: int) -> Iterator[_Frame]:
        """Reads a thread's frames, from the innermost outwards."""
        offsets = self._offsets
        frame = self._word(thread + offsets["thread.current_frame"])
        for _ in range(most):
            if not frame:
                break
            raw = self._read(frame, offsets.frame_bytes)
            executable = _word_in(raw, offsets["frame.executable"]) & ~_TAGS
            pointer, previous = _word_in(raw, offsets["frame.instr_ptr"]), _word_in(raw, offsets["frame.previous"])
            copy = _word_in(raw, offsets["frame.tlbc_index"]) & _INT_BITS if offsets["frame.tlbc_index"] else 0
            runs_python = raw[offsets["frame.owner"]] < _BY_INTERPRETER
            yield _Frame((frame, executable, previous), pointer, (executable, pointer, copy) if runs_python else None)
            frame = previous

    def _line(self, address: int, pointer: int, copy: int) -> tuple[Code, int]:
        """Returns code and the line of it that a pointer into its bytecode, or into a thread's copy of it, is at."""
        offsets = self._offsets
        raw = self._read(address, offsets.code_bytes)
        if _word_in(raw, offsets["object.ob_type"]) != id(CodeType):
            raise _TornError
        known = self._known(address, raw)
        begin = address + offsets["code.co_code_adaptive"]
        if copy:
            begin = self._word(_word_in(raw, offsets["code.co_tlbc"]) + 8 + 8 * copy)
        at = pointer - begin
        if not 0 <= at < _word_in(raw, offsets["object.size"]) * BYTES_PER_UNIT:
            raise _TornError
        number = bisect_right(known.starts, at) - 1
        return known.code, known.lines[number] if number >= 0 else 0

    def _known(self, address: int, raw: bytes) -> _Known:
        """Returns a code object of ours that says the same of files and lines as the one at an address."""
        offsets = self._offsets
        file, name, table = (_word_in(raw, offsets[f"code.{part}"]) for part in ("filename", "qualname", "linetable"))
        first = int.from_bytes(raw[offsets["code.firstlineno"] :][:4], sys.byteorder)
        known = self._codes.get(address)
        if known is not None and known.identity == (file, name, table, first):
            return known
        length = self._word(table + offsets["bytes.ob_size"])
        if length > _LONGEST_TABLE:
            raise _TornError
        try:
            lines = list(line_starts(self._read(table + offsets["bytes.ob_sval"], length), first))
        except IndexError as error:
            raise _TornError from error
        code = SeenCode(self._text(file), self._text(name))
        known = _Known((file, name, table, first), code, [start for start, _ in lines], [line for _, line in lines])
        if len(self._codes) >= _CODES_KEPT:
            self._codes.clear()
        self._codes[address] = known
        return known

    def _text(self, address: int) -> str:
        """Reads a text object."""
        offsets = self._offsets
        head = self._read(address, offsets["unicode.asciiobject_size"])
        if _word_in(head, offsets["object.ob_type"]) != id(str):
            raise _TornError
        length = _word_in(head, offsets["unicode.length"])
        state = int.from_bytes(head[offsets["unicode.state"] :][:4], sys.byteorder)
        kind = state >> offsets.width_at & WIDTH_BITS
        width = kind & ~ASCII_BIT
        if length > _LONGEST_TEXT or width not in _CODECS:
            raise _TornError
        begin = address + offsets["unicode.asciiobject_size"] + (0 if kind & ASCII_BIT else _COMPACT_BYTES)
        return self._read(begin, length * width).decode(_CODECS[width], "replace")


_PROVEN = threading.Event()
"""True once a stack of this process has been read correctly."""

_CODECS = {1: "latin-1", 2: f"utf-16-{sys.byteorder[0]}e", 4: f"utf-32-{sys.byteorder[0]}e"}


def _word_in(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 8], sys.byteorder)


def _places(stack: RawStack) -> list[tuple[str, str, int]]:
    return [(code.co_filename, code.co_qualname, line) for code, line in stack]
