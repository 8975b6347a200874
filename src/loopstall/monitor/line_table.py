"""The table in a code object that says which line its bytecode is of (``co_linetable``), decoded from raw bytes.

Hands on ``line_starts``, what ``co_lines`` would tell of a code object that must not be touched. It knows nothing of
where the bytes come from.
"""

from collections.abc import Iterator

__all__ = ["BYTES_PER_UNIT", "line_starts"]

BYTES_PER_UNIT = 2
"""Of bytecode."""

_NO_LINE, _LONG, _NO_COLUMN, _ONE_LINE = 15, 14, 13, 10  # kinds of entries; below: short ones


def line_starts(table: bytes, line: int) -> Iterator[tuple[int, int]]:
    """Yields from which byte of bytecode on which line is meant, 0 for none: see CPython's code_objects.md.

    Args:
        table: as the code object has it.
        line: the first of the code.

    Raises:
        IndexError: the table ends in the middle of an entry.
    """
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
        start += ((head & 7) + 1) * BYTES_PER_UNIT
