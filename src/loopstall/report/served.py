"""Servers under load in the terminal: what heavy requests took, and what light ones waited for."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loopstall.records import Skipped, Summary
from loopstall.records.units import format_ns
from loopstall.report.text import printable

__all__ = ["served"]

_COLUMNS = (("heavy p50", 9), ("light p50", 9), ("light p99", 9), ("stall", 8), ("avail", 6), ("", 6))


def served(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> RenderableType:
    """Shows a table for each heavy work, a line a scenario."""
    rows = dict.fromkeys([*(item.cell.row for item in summaries), *(item.cell.row for item in skipped)])
    parts: list[RenderableType] = []
    for row in rows:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        for heading, width in _COLUMNS:
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True, min_width=width)
        for item in summaries:
            if item.cell.row == row:
                table.add_row(Text(f"  {printable(str(item.cell.strategy))}"), *_line(item))
        parts += [Text(printable(row), style="cyan"), table]
        parts += [
            Text(f"  {printable(str(left_out.cell.strategy))}  n/a: {printable(left_out.reason)}", style="dim")
            for left_out in skipped
            if left_out.cell.row == row
        ]
    return Group(*parts)


def _line(item: Summary) -> tuple[str | Text, ...]:
    if not item.runs:
        return (Text("✗ failed", style="red"),)
    stall, errors = item["longest_stall"].value, item["errors"].value
    return (
        format_ns(item["response_p50"].value),
        format_ns(item["lag_p50"].value),
        format_ns(item["lag_p99"].value),
        format_ns(stall) if stall else "none",
        f"{item['availability'].value:.1%}",
        Text("▲ TRAP" if item.trap else f"{errors:.0f} failed" if errors else "", style="bold red"),
    )
