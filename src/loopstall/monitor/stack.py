"""Stacks: how one is read from a frame, and which of its lines is the user's own."""

from collections.abc import Iterable
from functools import lru_cache
import os
import selectors
from types import FrameType
from typing import Protocol

from loopstall.monitor.depth import DEPTH
from loopstall.records import Frame

__all__ = ["Code", "RawStack", "capture", "interrupts_wait", "resolve", "resolve_all"]

_OURS = __file__.removesuffix("stack.py")
_WAITS = (f"{_OURS}probes{os.sep}", f"trio{os.sep}_core{os.sep}_io_")
"""Parts of the names of files whose functions wait for events, or call what does."""


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
        places.append((frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno))
        frame = frame.f_back
    return tuple(places)


def interrupts_wait(stack: RawStack) -> bool:
    """Returns whether the code of the program runs within a loop's wait for events: a handler of a signal."""
    files = [code.co_filename for code, _ in stack]
    waits = next((at for at, file in enumerate(files) if any(part in file for part in _WAITS)), 0)
    within = files[:waits]
    if within and within[-1] == selectors.__file__:
        del within[-1]
    return bool(within) and not within[-1].startswith(_OURS)


def resolve(stack: RawStack) -> tuple[Frame, ...]:
    """Returns the stack as plain records, innermost frame first."""
    return resolve_all([stack])[0]


def resolve_all(stacks: Iterable[RawStack]) -> list[tuple[Frame, ...]]:
    """Returns stacks as plain records; a place that several of them hold is one record, made once."""
    found: list[tuple[Frame, ...]] = []
    before: RawStack | None = None
    for stack in stacks:  # a thread that stands still is met at the same place again and again
        if stack != before:
            found.append(tuple(_frame(code.co_filename, line, code.co_qualname) for code, line in stack))
        else:
            found.append(found[-1])
        before = stack
    return found


@lru_cache(maxsize=4096)
def _frame(file: str, line: int, function: str) -> Frame:
    return Frame(file=file, line=line, function=function)
