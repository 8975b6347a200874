"""Stacks: how one is read from a frame, and which of its lines is the user's own."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
import sysconfig
from types import FrameType
from typing import Protocol

from loopstall.records import Frame

__all__ = ["DEPTH", "Code", "RawStack", "capture", "culprit", "is_users", "resolve"]

DEPTH = 64
"""Frames kept of a stack; the innermost ones, for they say what blocks."""

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = tuple(
    {
        str(Path(folder).resolve())
        for folder in (sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib"))
        if folder
    }
)


class Code(Protocol):
    """What is told of a code object."""

    @property
    def co_filename(self) -> str:
        """Its file."""

    @property
    def co_qualname(self) -> str:
        """Its name."""


RawStack = tuple[tuple[Code, int], ...]
"""Code and line of each frame, innermost first: what is quick to take; ``resolve`` makes it readable."""


def capture(innermost: FrameType | None) -> RawStack:
    """Takes down where a thread stands, in a few microseconds."""
    places: list[tuple[Code, int]] = []
    frame = innermost
    while frame is not None and len(places) < DEPTH:
        places.append((frame.f_code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(places)


def resolve(stack: RawStack) -> tuple[Frame, ...]:
    """Returns the stack as plain records, innermost frame first."""
    return tuple(Frame(file=code.co_filename, line=line, function=code.co_qualname) for code, line in stack)


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Says whether a file is the user's own code: neither Python's, nor a package's, nor loopstall's."""
    if file.startswith("<"):
        return False
    try:
        path = Path(file).resolve()
    except (ValueError, OSError):  # code may name any text as its file
        return False
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "_bundled")
    return not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def culprit(stack: Sequence[Frame]) -> Frame | None:
    """Returns the innermost frame of the user's own code, else the innermost frame there is."""
    for frame in stack:
        if is_users(frame.file):
            return frame
    return stack[0] if stack else None
