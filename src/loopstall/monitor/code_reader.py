"""Code objects of a process, read from its memory: their files, their names, and the lines of their bytecode.

Hands on ``CodeReader``, which reads each of them once, ``SeenCode``, and what readers of memory share. Texts and tables
are bounded: what is longer is taken for torn. It imports little, as ``process_memory`` does.
"""

from bisect import bisect_right
from collections.abc import Iterable
import sys

from loopstall.monitor.layout import ASCII_BIT, WIDTH_BITS, Fields, Layout
from loopstall.monitor.line_table import BYTES_PER_UNIT, line_starts
from loopstall.monitor.process_memory import Memory

__all__ = ["CodeReader", "SeenCode", "TornError", "read_word", "word_in"]

_CODES_KEPT = 4096
_LONGEST_TEXT = 10_000
_LONGEST_TABLE = 1_000_000
_CODECS = {1: "latin-1", 2: f"utf-16-{sys.byteorder[0]}e", 4: f"utf-32-{sys.byteorder[0]}e"}
_BEFORE_FIRST = -BYTES_PER_UNIT  # where a new frame stands that keeps the unit before its next instruction


class TornError(Exception):
    """The values that were read do not fit together: the thread has gone on, or has ended."""


class SeenCode:
    """The parts of a code object that a stack needs: the object itself is not there, or must not be touched."""

    __slots__ = ("co_filename", "co_qualname")

    def __init__(self, file: str, name: str) -> None:
        self.co_filename = file
        self.co_qualname = name


class _Known:
    """A code object, known again by ``identity``, with where its lines begin."""

    __slots__ = ("bytecode", "code", "first", "identity", "lines", "starts")

    def __init__(self, identity: tuple[int, ...], bytecode: int, code: SeenCode, table: bytes) -> None:
        self.identity = identity
        self.bytecode = bytecode  # in bytes
        self.code = code
        self.first = identity[-1]
        try:
            lines = list(line_starts(table, self.first))
        except IndexError as error:
            raise TornError from error
        self.starts = [start for start, _ in lines]
        self.lines = [line for _, line in lines]


class CodeReader:
    """Reads code objects, and tells lines by them.

    Args:
        memory: of the process.
        layout: of its interpreter.
    """

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._layout = layout
        self._codes: dict[int, _Known] = {}
        self._types: dict[int, bytes] = {}
        self._identified = Fields(*((layout[name], "Q") for name in _IDENTITY), (layout["code.firstlineno"], "I"))
        self._stands_before = layout.version < (3, 13)

    def learn(self, addresses: Iterable[int]) -> tuple[dict[int, bytes], bool]:
        """Reads code objects unless they are known.

        Returns:
            The head of each one that is there, and whether one of them had to be learned, which takes longer.
        """
        asked = list(addresses)
        heads = self._memory.read_many([(address, self._layout.code_bytes) for address in asked])
        found: dict[int, bytes] = {}
        learned = False
        for address, head in zip(asked, heads, strict=True):
            known = self._codes.get(address)
            try:
                if known is None or known.identity != self._identity(head):
                    learned = True
                    self._learn(address, head)
                found[address] = head
            except TornError:
                continue
        return found, learned

    def line(self, address: int, head: bytes, pointer: int, copy: int) -> tuple[SeenCode, int]:
        """Returns code and the line of it that a pointer into its bytecode is at.

        Args:
            address: of a code object that ``learn`` has found.
            head: of it.
            pointer: of a frame.
            copy: which thread's copy of the bytecode the pointer is into, 0 for the common one.
        """
        known = self._codes.get(address)
        if known is None:
            raise TornError
        begin = address + self._layout["code.co_code_adaptive"]
        if copy:
            begin = read_word(self._memory, word_in(head, self._layout["code.co_tlbc"]) + 8 + 8 * copy)
        at = pointer - begin
        if at == _BEFORE_FIRST and self._stands_before:
            return known.code, known.first
        if not 0 <= at < known.bytecode:
            raise TornError
        number = bisect_right(known.starts, at) - 1
        line = known.lines[number] if number >= 0 else 0
        return known.code, line or known.first  # a generator that is made is at no line

    def text(self, address: int) -> str:
        """Reads a text object.

        Raises:
            TornError: there is none.
        """
        begin, size, codec = self._letters(
            address, self._memory.read(address, self._layout["unicode.asciiobject_size"])
        )
        raw = self._memory.read(begin, size)
        if len(raw) < size:
            raise TornError
        return raw.decode(codec, "replace")

    def _identity(self, head: bytes) -> tuple[int, ...]:
        if len(head) < self._layout.code_bytes:
            raise TornError
        return self._identified(head)

    def _learn(self, address: int, head: bytes) -> None:
        layout = self._layout
        identity = self._identity(head)
        kind, units, file, name, table, _ = identity
        self._check_type(kind, b"code")
        size, begin = layout["unicode.asciiobject_size"], layout["bytes.ob_sval"]
        heads = self._memory.read_many([(file, size), (name, size), (table, begin)])
        ranges = [self._letters(file, heads[0]), self._letters(name, heads[1])]
        length = word_in(heads[2], layout["bytes.ob_size"])
        if len(heads[2]) < begin or length > _LONGEST_TABLE:
            raise TornError
        *texts, lines = self._memory.read_many([*(one[:2] for one in ranges), (table + begin, length)])
        if [len(text) for text in texts] != [one[1] for one in ranges] or len(lines) < length:
            raise TornError
        said = [text.decode(one[2], "replace") for text, one in zip(texts, ranges, strict=True)]
        if len(self._codes) >= _CODES_KEPT:
            self._codes.clear()
        self._codes[address] = _Known(identity, units * BYTES_PER_UNIT, SeenCode(*said), lines)

    def _letters(self, address: int, head: bytes) -> tuple[int, int, str]:
        """Returns where the letters of a text object are, how many bytes, and how they are encoded."""
        layout = self._layout
        if len(head) < layout["unicode.asciiobject_size"]:
            raise TornError
        self._check_type(word_in(head, layout["object.ob_type"]), b"str")
        length = word_in(head, layout["unicode.length"])
        at = layout["unicode.state"]
        kind = int.from_bytes(head[at : at + 4], "little") >> layout.width_at & WIDTH_BITS
        width = kind & ~ASCII_BIT
        if length > _LONGEST_TEXT or width not in _CODECS:
            raise TornError
        begin = address + len(head) + (0 if kind & ASCII_BIT else layout.compact_bytes)
        return begin, length * width, _CODECS[width]

    def _check_type(self, address: int, name: bytes) -> None:
        """Sees to it that what is at an address is a type of some name."""
        known = self._types.get(address)
        if known is None:
            at = read_word(self._memory, address + self._layout["type.tp_name"])
            known = self._memory.read(at, len(name) + 1)
            if known != name + b"\0":
                raise TornError
            self._types[address] = known
        if known != name + b"\0":
            raise TornError


_IDENTITY = ("object.ob_type", "object.size", "code.filename", "code.qualname", "code.linetable")


def word_in(raw: bytes, at: int) -> int:
    """Returns a number of 8 bytes, or of what is there of them."""
    return int.from_bytes(raw[at : at + 8], "little")


def read_word(memory: Memory, address: int) -> int:
    """Reads a number of 8 bytes.

    Raises:
        TornError: nothing is there.
    """
    raw = memory.read(address, 8)
    if len(raw) < 8:  # noqa: PLR2004  # said above
        raise TornError
    return int.from_bytes(raw, "little")
