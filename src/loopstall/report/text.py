"""What every report says in words."""

from collections.abc import Sequence

from loopstall.metrics import format_ns
from loopstall.records import Summary

__all__ = ["printable", "verdict"]


def printable(text: str) -> str:
    """Returns text in which control characters, terminal escapes and bidirectional marks stand as escapes."""
    if text.isprintable():  # nearly all is
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in text
    )


def verdict(summaries: Sequence[Summary]) -> str:
    """Says in a sentence or two what a matrix found."""
    measured = [summary for summary in summaries if summary.runs]
    failed = [summary for summary in summaries if summary.error is not None]
    if not summaries:
        return "Nothing was measured."
    parts: list[str] = []
    traps = [summary for summary in measured if summary.trap]
    if traps:
        worst = max(traps, key=lambda summary: summary["longest_stall"].value)
        parts.append(
            f"{len(traps)} of {len(measured)} cells are traps: the worst, {worst.cell.row} under"
            f" {worst.cell.strategy}, stalls the loop for {format_ns(worst['longest_stall'].value)} at a time."
        )
    elif measured:
        parts.append(f"No trap in {len(measured)} cells: no loop was blocked beyond the budget.")
    if failed:
        parts.append(f"{len(failed)} cells failed.")
    return " ".join(parts)
