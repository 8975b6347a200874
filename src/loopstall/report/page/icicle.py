"""The stalled time by stacks, as data that the page draws as a flame graph; and lines of source."""

from collections.abc import Iterable
from functools import cache
import linecache
from pathlib import Path
from typing import Any

from loopstall.analysis.culprits import work_of
from loopstall.records import Frame, Stall
from loopstall.records.frames import is_users, library_of, loop_at
from loopstall.report.text import place, printable

__all__ = ["flames", "source_line"]

_STACKS = 400
"""Different stacks that are drawn, those with the most time; what the others took is shown as one block a task."""
_LONGEST_LINE = 160
_LONGEST_NAME = 120


def flames(stalls: Iterable[Stall]) -> dict[str, Any]:
    """Returns stalled time by stacks, from the task or callback inwards: what the loop itself runs in is left out.

    Returns:
        ``frames``: [function, place, library or "", line of source]; ``tasks``: what the loop was running;
        ``stacks``: [task, time in µs, number of the culprit among the frames or -1, frames from the outermost on].
    """
    spent: dict[tuple[int, str, Frame | None], list[Any]] = {}  # by the stack as an object: equal ones are mostly one
    for stall in stalls:
        if stall.stack:
            key = (id(stall.stack), work_of(stall) or "a callback", stall.culprit)
            spent.setdefault(key, [stall.stack, 0])[1] += stall.duration_ns
    merged: dict[tuple[str, Frame | None, tuple[Frame, ...]], int] = {}
    for (_, task, culprit), (stack, spent_ns) in spent.items():
        inner = (task, culprit, stack[: loop_at(stack)][::-1] or stack[:1])
        merged[inner] = merged.get(inner, 0) + spent_ns
    ordered = sorted(merged.items(), key=lambda item: -item[1])
    frames: dict[Frame, int] = {}
    tasks: dict[str, int] = {}
    rest: dict[str, int] = {}
    stacks: list[list[Any]] = []
    for number, ((task, culprit, stack), spent_ns) in enumerate(ordered):
        index = tasks.setdefault(task, len(tasks))
        if number >= _STACKS:
            rest[task] = rest.get(task, 0) + spent_ns
            continue
        numbers = [frames.setdefault(frame, len(frames)) for frame in stack]
        worst = frames.get(culprit, -1) if culprit is not None and is_users(culprit.file) else -1
        stacks.append([index, spent_ns // 1000, worst, numbers])
    stacks += [[tasks[task], spent_ns // 1000, -1, []] for task, spent_ns in rest.items()]
    return {"frames": [_told(frame) for frame in frames], "tasks": list(map(_cut, tasks)), "stacks": stacks}


def _told(frame: Frame) -> list[str]:
    library = library_of(frame.file)
    source = "" if library else source_line(frame.file, frame.line)
    return [_cut(frame.function), place(frame), printable(library), printable(source)]


def _cut(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


@cache
def source_line(file: str, line: int) -> str:
    """Returns a line of a Python file as it is now, empty where it is not there.

    Only of Python files: a result may come from elsewhere and name any file.
    """
    if not file.endswith(".py") or not Path(file).is_file():
        return ""
    return linecache.getline(file, line).strip()[:_LONGEST_LINE]
