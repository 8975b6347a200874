"""Stacks of other threads, read from this process' own memory: on free-threaded builds, where nothing else is safe.

There a frame object must not be touched while its thread runs, and ``sys._current_frames()`` stops all threads until
the last one has come to where it can stop: one that computes in C for 200 ms would hold all others up for as long.
The kernel copies memory without either: nobody waits, and an address that is not there any more is an error, not a
crash. What was read while the thread went on may not fit together; it is checked, and left out where it does not.

Where things lie is told by the table that the interpreter keeps for debuggers. A reader trusts it only after it has
found its own stack by it.
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

from loopstall.monitor.kernel import OwnMemory, UnavailableError
from loopstall.monitor.stack import DEPTH, Code, RawStack, capture

__all__ = ["Seen", "StackReader"]

_COOKIE = b"xdebugpy"
_GROUPS: dict[str, tuple[str, ...]] = {
    "runtime": ("size", "finalizing", "interpreters_head"),
    "interpreter": (
        "size", "id", "next", "threads_head", "gc", "imports_modules", "sysdict", "builtins", "ceval_gil",
        "gil", "gil_enabled", "gil_locked", "gil_holder",
    ),
    "thread": (
        "size", "prev", "next", "interp", "current_frame", "thread_id", "native_thread_id", "datastack_chunk", "status",
    ),
    "exception": (),
    "frame": ("size", "previous", "executable", "instr_ptr", "localsplus", "owner"),
    "code": (
        "size", "filename", "name", "qualname", "linetable", "firstlineno", "argcount", "localsplusnames",
        "localspluskinds", "co_code_adaptive",
    ),
    "object": ("size", "ob_type"),
    "type": ("size", "tp_name", "tp_repr", "tp_flags"),
    "heap_type": (),
    "tuple": ("size", "ob_item", "ob_size"),
    "list": ("size", "ob_item", "ob_size"),
    "set": (),
    "dict": ("size", "ma_keys", "ma_values"),
    "float": ("size", "ob_fval"),
    "long": ("size", "lv_tag", "ob_digit"),
    "bytes": ("size", "ob_size", "ob_sval"),
    "unicode": ("size", "state", "length", "asciiobject_size"),
}  # fmt: skip
"""What Python 3.13 says about its structures after the cookie, its version and a flag: a number of 8 bytes each."""

_SINCE_3_14: dict[str, tuple[str, ...]] = {
    "interpreter": (
        "size", "id", "next", "threads_head", "threads_main", "gc", "imports_modules", "sysdict", "builtins",
        "ceval_gil", "gil", "gil_enabled", "gil_locked", "gil_holder", "code_object_generation", "tlbc_generation",
    ),
    "frame": (*_GROUPS["frame"], "stackpointer", "tlbc_index"),
    "code": (*_GROUPS["code"], "co_tlbc"),
    "set": ("size", "used", "table", "mask"),
}  # fmt: skip
_SINCE_3_15: dict[str, tuple[str, ...]] = {
    "thread": (
        "size", "prev", "next", "interp", "current_frame", "base_frame", "last_profiled_frame", "last_profiled_seq",
        "thread_id", "native_thread_id", "datastack_chunk", "status", "holds_gil", "gil_requested",
        "current_exception", "exc_state",
    ),
    "exception": ("exc_value",),
    "type": (*_GROUPS["type"], "tp_basicsize", "tp_dictoffset"),
    "heap_type": ("size", "ht_cached_keys"),
}  # fmt: skip
"""Where later ones tell more."""

_TAGS = 7  # low bits of a pointer that say how it is counted
_BY_INTERPRETER = 3  # who owns a frame: from here on it runs no code in Python
_MOST_THREADS = 10_000
_CODES_KEPT = 4096
_LONGEST_TEXT = 10_000
_LONGEST_TABLE = 1_000_000
_UNIT = 2  # bytes of bytecode
_INT_BITS = 0xFFFFFFFF
_DEEPER = 16  # calls that a thread may return from while it is looked at
_TRIES = 3
_FEWEST_PROOFS = 2
_COMPACT_BYTES = 16  # between the head and the letters of a text that is not ASCII
_SAMPLES = tuple(chr(letter) * 2 for letter in (0x61, 0xE9, 0x151, 0x1F40D))
"""Texts that nobody shares: ASCII, and of one, two and four bytes a letter."""
_WIDTH_BITS, _ASCII_BIT = 0b10111, 0b10000
_WIDTHS = [0b10001, 0b00001, 0b00010, 0b00100]
"""What their state says from some bit on: the bytes a letter, a bit that matters to nobody here, and whether ASCII."""
_NO_LINE, _LONG, _NO_COLUMN, _ONE_LINE = 15, 14, 13, 10  # kinds of entries in a table of lines; below: short ones


class _TornError(Exception):
    """What was read does not fit together: the thread has gone on, or has ended."""


class SeenCode(NamedTuple):
    """What a stack says about code; no code object, for a free-threaded build never frees all of one."""

    co_filename: str
    co_qualname: str


class Seen(NamedTuple):
    """Where a thread stands: its stack, and the place in it, which changes with every step of Python code."""

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


class _Layout:
    """Where things lie, as the interpreter tells debuggers: ``layout["frame.previous"]`` is an offset.

    Args:
        memory: this process'.
    """

    def __init__(self, memory: OwnMemory) -> None:
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        groups = _GROUPS | (_SINCE_3_14 if sys.version_info >= (3, 14) else {})
        groups |= _SINCE_3_15 if sys.version_info >= (3, 15) else {}
        names = [f"{group}.{name}" for group, fields in groups.items() for name in fields]
        table = memory.read(runtime, 24 + 8 * len(names))
        if len(table) < 24 + 8 * len(names) or not table.startswith(_COOKIE):
            raise _TornError
        self._offsets = dict(zip(names, struct.unpack_from(f"={len(names)}Q", table, 24), strict=True))
        self.frame_bytes = self._behind("frame", "previous", "executable", "instr_ptr", "owner", "tlbc_index")
        self.code_bytes = self._behind("code", "filename", "qualname", "linetable", "firstlineno", "co_tlbc")
        states = [int.from_bytes(memory.read(id(text) + self["unicode.state"], 4), sys.byteorder) for text in _SAMPLES]
        self.width_at = next((at for at in range(28) if [state >> at & _WIDTH_BITS for state in states] == _WIDTHS), -1)
        if self.width_at < 0:
            raise _TornError

    def __getitem__(self, name: str) -> int:
        return int(self._offsets.get(name, 0))

    def _behind(self, group: str, *names: str) -> int:
        return 8 + max(self[f"{group}.{name}"] for name in names)


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
            self._layout = _Layout(self._memory)
            current = ctypes.pythonapi["PyThreadState_Get"]
            current.restype = ctypes.c_void_p
            self._interpreter = self._word(current() + self._layout["thread.interp"])
            if not _PROVEN.is_set():
                self._prove()
                _PROVEN.set()
        except (_TornError, AttributeError, ValueError, struct.error) as error:
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
            frame = self._word(self._thread(thread_id) + self._layout["thread.current_frame"])
            return frame, self._word(frame + self._layout["frame.instr_ptr"])
        except _TornError:
            return None

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
            raise _TornError

    def _read(self, address: int, size: int) -> bytes:
        data = self._memory.read(address, size)
        if len(data) < size:
            raise _TornError
        return data

    def _word(self, address: int) -> int:
        return _word_in(self._read(address, 8), 0)

    def _thread(self, thread_id: int) -> int:
        """Returns the address of a thread's state."""
        native_id = self._layout["thread.native_thread_id"]
        known = self._threads.get(thread_id, 0)
        if known and self._word(known + native_id) == thread_id:
            return known
        state = self._word(self._interpreter + self._layout["interpreter.threads_head"])
        for _ in range(_MOST_THREADS):
            if not state:
                break
            if self._word(state + native_id) == thread_id:
                if len(self._threads) >= _MOST_THREADS:
                    self._threads.clear()
                self._threads[thread_id] = state
                return state
            state = self._word(state + self._layout["thread.next"])
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
        layout = self._layout
        frame = self._word(thread + layout["thread.current_frame"])
        for _ in range(most):
            if not frame:
                break
            raw = self._read(frame, layout.frame_bytes)
            executable = _word_in(raw, layout["frame.executable"]) & ~_TAGS
            pointer, previous = _word_in(raw, layout["frame.instr_ptr"]), _word_in(raw, layout["frame.previous"])
            copy = _word_in(raw, layout["frame.tlbc_index"]) & _INT_BITS if layout["frame.tlbc_index"] else 0
            runs_python = raw[layout["frame.owner"]] < _BY_INTERPRETER
            yield _Frame((frame, executable, previous), pointer, (executable, pointer, copy) if runs_python else None)
            frame = previous

    def _line(self, address: int, pointer: int, copy: int) -> tuple[Code, int]:
        """Returns code and the line of it that a pointer into its bytecode, or into a thread's copy of it, is at."""
        layout = self._layout
        raw = self._read(address, layout.code_bytes)
        if _word_in(raw, layout["object.ob_type"]) != id(CodeType):
            raise _TornError
        known = self._known(address, raw)
        begin = address + layout["code.co_code_adaptive"]
        if copy:
            begin = self._word(_word_in(raw, layout["code.co_tlbc"]) + 8 + 8 * copy)
        at = pointer - begin
        if not 0 <= at < _word_in(raw, layout["object.size"]) * _UNIT:
            raise _TornError
        number = bisect_right(known.starts, at) - 1
        return known.code, known.lines[number] if number >= 0 else 0

    def _known(self, address: int, raw: bytes) -> _Known:
        """Returns a code object of ours that says the same of files and lines as the one at an address."""
        layout = self._layout
        file, name, table = (_word_in(raw, layout[f"code.{part}"]) for part in ("filename", "qualname", "linetable"))
        first = int.from_bytes(raw[layout["code.firstlineno"] :][:4], sys.byteorder)
        known = self._codes.get(address)
        if known is not None and known.identity == (file, name, table, first):
            return known
        length = self._word(table + layout["bytes.ob_size"])
        if length > _LONGEST_TABLE:
            raise _TornError
        try:
            lines = list(_lines(self._read(table + layout["bytes.ob_sval"], length), first))
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
        layout = self._layout
        head = self._read(address, layout["unicode.asciiobject_size"])
        if _word_in(head, layout["object.ob_type"]) != id(str):
            raise _TornError
        length = _word_in(head, layout["unicode.length"])
        state = int.from_bytes(head[layout["unicode.state"] :][:4], sys.byteorder)
        kind = state >> layout.width_at & _WIDTH_BITS
        width = kind & ~_ASCII_BIT
        if length > _LONGEST_TEXT or width not in _CODECS:
            raise _TornError
        begin = address + layout["unicode.asciiobject_size"] + (0 if kind & _ASCII_BIT else _COMPACT_BYTES)
        return self._read(begin, length * width).decode(_CODECS[width], "replace")


_PROVEN = threading.Event()
"""Whether a stack of this process has been found as it is."""

_CODECS = {1: "latin-1", 2: f"utf-16-{sys.byteorder[0]}e", 4: f"utf-32-{sys.byteorder[0]}e"}


def _lines(table: bytes, line: int) -> Iterator[tuple[int, int]]:
    """Yields from which byte of bytecode on which line is meant, 0 for none: see CPython's code_objects.md."""
    at = start = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = table[at], at + 1
            value |= (byte & 0x3F) << shift
            shift += 6
            if not byte & 0x40:
                return value

    def signed() -> int:
        value = number()
        return -(value >> 1) if value & 1 else value >> 1

    while at < len(table):
        head, at = table[at], at + 1
        kind = head >> 3 & 15
        if kind in {_LONG, _NO_COLUMN}:
            line += signed()
            for _ in range(3 if kind == _LONG else 0):
                number()
        elif kind < _NO_COLUMN:
            line += max(0, kind - _ONE_LINE)
            at += 2 if kind >= _ONE_LINE else 1
        yield start, 0 if kind == _NO_LINE else line
        start += ((head & 7) + 1) * _UNIT


def _word_in(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 8], sys.byteorder)


def _places(stack: RawStack) -> list[tuple[str, str, int]]:
    return [(code.co_filename, code.co_qualname, line) for code, line in stack]
