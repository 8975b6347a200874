"""Stacks: how one is read from a frame, and which of its lines is the user's own."""

from types import FrameType
from typing import Protocol

from loopstall.records import Frame

__all__ = ["DEPTH", "Code", "RawStack", "capture", "resolve"]

DEPTH = 64
"""Frames kept of a stack; the innermost ones, for they say what blocks."""


class Code(Protocol):
    """The part of a code object that reports use."""

    @property
    def co_filename(self) -> str:
        """Its file."""

    @property
    def co_qualname(self) -> str:
        """Its name."""


RawStack = tuple[tuple[Code, int], ...]
"""Code and line of each frame, innermost first: what is quick to take; ``resolve`` makes it readable."""


def capture(innermost: FrameType | None, depth: int = DEPTH) -> RawStack:
    """Takes down where a thread stands, ``depth`` frames of it, in a few microseconds."""
    places: list[tuple[Code, int]] = []
    frame = innermost
    while frame is not None and len(places) < depth:
        places.append((frame.f_code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(places)


def resolve(stack: RawStack) -> tuple[Frame, ...]:
    """Returns the stack as plain records, innermost frame first."""
    return tuple(Frame(file=code.co_filename, line=line, function=code.co_qualname) for code, line in stack)
