"""The modes of a terminal that an output switches: the alternate screen, the cursor, the mouse."""

import re

__all__ = ["Modes", "without_escapes"]

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Colours, moves of the cursor and titles of the window."""
_SWITCH = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_LONGEST = 32  # bytes of a switch, which two pieces may share
_ON = (b"7", b"25")  # line wrap and the cursor, which are on in a terminal that nobody has touched
_ALTERNATE = (b"1049", b"1047", b"47")


def without_escapes(text: bytes) -> bytes:
    """Returns the text alone of an output that is meant for a terminal."""
    return _ESCAPE.sub(b"", text)


class Modes:
    """The modes that an output has switched so far."""

    def __init__(self) -> None:
        self._on: dict[bytes, bool] = {}
        self._styled = False
        self._before = b""

    def read(self, text: bytes) -> None:
        """Takes the next piece of the output."""
        self._styled |= b"\x1b[" in text
        text = self._before + text
        for names, letter in _SWITCH.findall(text):
            self._on.update(dict.fromkeys(names.split(b";"), letter == b"h"))
        self._before = text[-_LONGEST:]

    def back(self) -> bytes:
        """Returns what switches the terminal back, "" where the output has done so itself."""
        changed = [name for name, on in self._on.items() if on != (name in _ON)]
        switches = b"".join(b"\x1b[?%b%b" % (name, b"h" if name in _ON else b"l") for name in changed)
        return switches + (b"\x1b[m" if self._styled else b"")

    def covered(self, end: bytes) -> bytes:
        """Returns the text, of the end of the output, that a switch back from the alternate screen takes along."""
        if not any(self._on.get(name) for name in _ALTERNATE):
            return b""
        switches = [found.end() for found in _SWITCH.finditer(end) if {*found[1].split(b";")} & {*_ALTERNATE}]
        return without_escapes(end[max(switches, default=0) :])
