"""The terminal's tables of a matrix and of servers, and what stands under any of them, with rich."""

from collections.abc import Sequence
import io

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from loopstall.analysis.content import Digest
from loopstall.records import Skipped, Summary
from loopstall.records.units import format_ns, format_value
from loopstall.report.columns import Column, columns
from loopstall.report.compared import verdicts_shown
from loopstall.report.escape import printable, tamed
from loopstall.report.layout import Layout, is_served, layouts
from loopstall.report.text import remarks, verdict
from loopstall.report.trend import sentences, trends_shown
from loopstall.report.verdict_text import sentence

__all__ = ["closing", "gate_to_terminal", "matrix_to_terminal", "results"]

_FILE_WIDTH = 140  # of a table in a file
_WIDE = 112  # columns that the matrix layout needs
_STALLS = (Column("stall", 8), Column("avail", 6), Column("", 6, left=True))
_COLUMNS = (Column("", 11, left=True), Column("jobs/s", 7), Column("lag p50", 8), Column("lag p99", 8), *_STALLS)
_SERVER_COLUMNS = (
    Column("", 0, left=True), Column("heavy p50", 9), Column("light p50", 9), Column("light p99", 9), *_STALLS,
)  # fmt: skip


def matrix_to_terminal(made: Digest) -> str:
    """Renders a matrix as a terminal shows it, for a file."""
    return _text(results(made.summaries, made.skipped, width=_FILE_WIDTH), made)


def gate_to_terminal(made: Digest) -> str:
    """Renders a gate's verdicts as a terminal shows them, for a file."""
    return _text(verdicts_shown(made.content.verdicts, made.skipped), made)


def closing(made: Digest) -> list[RenderableType]:
    """Returns what stands under the table: a gate's sentence and notes, remarks on the runs, figures over commits."""
    content = made.content
    parts: list[RenderableType] = [Text(f"{sentence(content.verdicts)}.")] if content.judged else []
    parts += [Text(printable(note), style="dim") for note in (*content.notes, *remarks(content.runs))]
    if content.trends:
        parts += [trends_shown(content.trends), *map(Text, sentences(content.trends))]
    return parts


def _text(shown: RenderableType, made: Digest) -> str:
    out = io.StringIO()
    console = Console(file=out, width=_FILE_WIDTH, highlight=False, markup=False)
    console.print(shown)
    for part in closing(made):
        console.print(part, soft_wrap=isinstance(part, Text))
    return "\n".join(map(tamed, out.getvalue().split("\n")))


def results(summaries: Sequence[Summary], skipped: Sequence[Skipped], *, width: int) -> RenderableType:
    """Shows a matrix: workload rows and strategy columns, or a list where the terminal is narrow."""
    if is_served(summaries, skipped):
        parts: list[RenderableType] = [_servers(summaries, skipped)]
    else:
        parts = [_matrix(layout) if width >= _WIDE else _list(layout) for layout in layouts(summaries, skipped)]
    parts += [
        Text(f"✗ {printable(item.cell.name)}: {printable(item.error.message)}", style="red")
        for item in summaries
        if item.error is not None
    ]
    parts.append(Text(printable(verdict(summaries)), style="bold"))
    return Group(*parts)


def _matrix(layout: Layout) -> Table:
    table = Table(title=printable(layout.loop), show_lines=True, title_justify="left", title_style="bold")
    table.add_column("workload", max_width=24)
    for dispatch in layout.dispatches:
        table.add_column(printable(dispatch), min_width=13, max_width=20)
    for row, items in layout.rows.items():
        label = Text("\n  ".join(map(printable, layout.labels[row])))
        table.add_row(label, *(_cell(items.get(dispatch)) for dispatch in layout.dispatches))
    return table


def _cell(item: Summary | Skipped | None) -> Text:
    if item is None:
        return Text("-")
    if isinstance(item, Skipped):
        return Text(f"n/a: {printable(item.reason)}", style="dim")
    if not item.runs:
        return Text(f"✗ {printable(item.error.kind) if item.error is not None else 'nothing'}", style="red")
    stall = item["longest_stall"].value
    lines = [
        f"{format_value(item['throughput'].value, '1/s')}",
        f"lag {format_ns(item['lag_p50'].value)}",
        f"p99 {format_ns(item['lag_p99'].value)}",
        f"stall {format_ns(stall)}" if stall else "no stall",
        f"avail {item['availability'].value:.1%}",
    ]
    text = Text("\n".join(lines))
    if item.trap:
        text = Text("▲ TRAP\n", style="bold red").append_text(text)
    if item.error is not None:
        text.append(f"\n✗ {printable(item.error.kind)}", style="red")
    return text


def _list(layout: Layout) -> Group:
    parts: list[RenderableType] = [Text(printable(layout.loop), style="bold")]
    for row, items in layout.rows.items():
        table = columns(_COLUMNS)
        reasons: list[RenderableType] = []
        for dispatch, item in items.items():
            name = Text(f"  {printable(dispatch)}")
            if isinstance(item, Skipped):
                reasons.append(Text(f"  {printable(dispatch)}  n/a: {printable(item.reason)}", style="dim"))
            elif item.runs:
                table.add_row(name, *_line(item))
            else:
                table.add_row(name, Text("✗ failed", style="red"))
        parts += [Text(printable(row), style="cyan"), table, *reasons]
    return Group(*parts)


def _line(item: Summary) -> tuple[str | Text, ...]:
    stall = item["longest_stall"].value
    return (
        format_value(item["throughput"].value, "1/s").removesuffix("/s"),
        format_ns(item["lag_p50"].value),
        format_ns(item["lag_p99"].value),
        format_ns(stall) if stall else "none",
        f"{item['availability'].value:.1%}",
        Text("▲ TRAP", style="bold red") if item.trap else "",
    )


def _servers(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> RenderableType:
    """Shows a table for each heavy work, a line a scenario."""
    rows = dict.fromkeys([*(item.cell.row for item in summaries), *(item.cell.row for item in skipped)])
    parts: list[RenderableType] = []
    for row in rows:
        table = columns(_SERVER_COLUMNS)
        for item in summaries:
            if item.cell.row == row:
                table.add_row(Text(f"  {printable(str(item.cell.strategy))}"), *_server_line(item))
        parts += [Text(printable(row), style="cyan"), table]
        parts += [
            Text(f"  {printable(str(left_out.cell.strategy))}  n/a: {printable(left_out.reason)}", style="dim")
            for left_out in skipped
            if left_out.cell.row == row
        ]
    return Group(*parts)


def _server_line(item: Summary) -> tuple[str | Text, ...]:
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
