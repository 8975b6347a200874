"""Stalls by culprit, and the stalled time as an icicle of stacks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
import linecache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopstall.records import Frame, Stall

if TYPE_CHECKING:
    pass

__all__ = ["Block", "icicle", "source_line"]

_LEAST_SHARE = 0.004
"""The least width in the icicle: a narrower block cannot be seen."""
_DEEPEST = 40
_LONGEST_LINE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A frame of the icicle: left edge and width as shares of the whole, and its depth."""

    frame: Frame
    left: float
    width: float
    depth: int
    total_ns: int
    culprit: bool


@dataclass(slots=True)
class _Node:
    total_ns: int = 0
    culprit: bool = False
    children: dict[Frame, "_Node"] = field(default_factory=dict)


def icicle(stalls: Iterable[Stall]) -> list[Block]:
    """Lays the stalled time out by stacks, the outermost frame at the top."""
    spent: dict[tuple[int, Frame | None], list[Any]] = {}  # by the stack as an object: equal ones are mostly one
    for stall in stalls:
        if stall.stack:
            spent.setdefault((id(stall.stack), stall.culprit), [stall.stack, 0])[1] += stall.duration_ns
    root = _Node()
    for (_, culprit), (stack, duration_ns) in spent.items():
        root.total_ns += duration_ns
        node = root
        for frame in stack[::-1][:_DEEPEST]:
            node = node.children.setdefault(frame, _Node())
            node.total_ns += duration_ns
            node.culprit = node.culprit or frame == culprit
    blocks: list[Block] = []
    _lay(root, 0.0, 0, root.total_ns, blocks)
    return blocks


def _lay(node: _Node, left: float, depth: int, whole_ns: int, blocks: list[Block]) -> None:
    for frame, child in sorted(node.children.items(), key=lambda item: -item[1].total_ns):
        width = child.total_ns / whole_ns
        if width >= _LEAST_SHARE:
            blocks.append(
                Block(frame=frame, left=left, width=width, depth=depth, total_ns=child.total_ns, culprit=child.culprit)
            )
            _lay(child, left, depth + 1, whole_ns, blocks)
        left += width


@cache
def source_line(file: str, line: int) -> str:
    """Returns a line of a Python file as it is now, empty where it is not there.

    Only of Python files: a result may come from elsewhere and name any file.
    """
    if not file.endswith(".py") or not Path(file).is_file():
        return ""
    return linecache.getline(file, line).strip()[:_LONGEST_LINE]
