"""Texts that all reports share."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
import os
from pathlib import Path
import re
from typing import TYPE_CHECKING

from loopstall.records import Frame
from loopstall.records.units import counted, format_ns
from loopstall.report.escape import printable

if TYPE_CHECKING:
    from loopstall.records import Run, Summary

__all__ = ["left_out", "place", "printable", "remarks", "verdict", "working_folder"]

_REMARKS = 5
_INSTALLED = re.compile(r".*[/\\](?:site-packages|dist-packages|[Ll]ib[/\\]python3\.\d+t?)[/\\](.+)", re.DOTALL)


def place(frame: Frame) -> str:
    """Writes a frame for people.

    Installed code and the standard library are named from the package on, the user's own from the working directory on.
    """
    return printable(f"{_short(frame.file)}:{frame.line} in {frame.function}")


def left_out(count: int) -> str:
    """Says how many frames of a stack are not shown."""
    return f"... {count} more {'frame' if count == 1 else 'frames'}"


def working_folder() -> Path:
    """Returns the working directory; the root where it has been removed, or cannot be reached."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


@cache
def _short(file: str) -> str:
    installed = _INSTALLED.match(file)
    if installed:
        return installed[1]
    here = f"{working_folder()}{os.sep}"
    home = f"{Path.home()}{os.sep}"
    if file.startswith(here):
        return file.removeprefix(here)
    return f"~/{file.removeprefix(home)}" if file.startswith(home) else file


def remarks(runs: "Iterable[Run]") -> list[str]:
    """Returns remarks on how runs were measured, with the number of runs, the most frequent first."""
    said = Counter(fault for run in runs if run.measured is not None for fault in dict.fromkeys(run.measured.faults))
    return [printable(f"in {counted(count, 'run')}: {fault}") for fault, count in said.most_common(_REMARKS)]


def verdict(summaries: "Sequence[Summary]") -> str:
    """Sums a matrix up in a sentence or two."""
    measured = [summary for summary in summaries if summary.runs]
    failed = [summary for summary in summaries if summary.error is not None]
    if not summaries:
        return "Nothing was measured."
    parts: list[str] = []
    traps = [summary for summary in measured if summary.trap]
    if traps:
        worst = max(traps, key=lambda summary: summary["longest_stall"].value)
        where, longest_ns = worst.cell, worst["longest_stall"].value
        parts.append(
            f"{len(traps)} of {counted(len(measured), 'cell')} {'is a trap' if len(traps) == 1 else 'are traps'}:"
            f" the worst, {where.row} under {where.strategy}, stalls the loop for {format_ns(longest_ns)} at a time."
        )
    elif measured:
        parts.append(f"No trap in {counted(len(measured), 'cell')}: no loop was blocked beyond the budget.")
    if failed:
        parts.append(f"{counted(len(failed), 'cell')} failed.")
    return " ".join(parts)
