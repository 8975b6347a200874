"""Two sides on a terminal: what `compare` and the gate found, in lines that keep their words whole at 80 columns."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from loopstall.analysis.compare import finding_of
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.told import amount, interval
from loopstall.records import BROKEN, Comparison, Finding, Skipped, Verdict
from loopstall.records.units import format_value
from loopstall.report.columns import Column, columns
from loopstall.report.escape import printable
from loopstall.report.verdict_text import explained, left_out, ordered

__all__ = ["comparisons_shown", "verdicts_shown"]

_STYLES = {
    "regressed": "bold red", "failed": "bold red", "improved": "green", "inconclusive": "yellow", BROKEN: "yellow",
}  # fmt: skip
_INTERVAL = Column("", 18, left=True, breaks=True)
_METRICS = (
    Column("", 19, left=True), Column("base", 8), Column("head", 8), Column("change", 8), _INTERVAL,
    Column("verdict", 12, left=True),
)  # fmt: skip
_VERDICTS = (
    Column("", 14, left=True, breaks=True), Column("time per job", 12), _INTERVAL, Column("CPU", 8),
    Column("availability", 12),
)  # fmt: skip


def comparisons_shown(comparisons: Sequence[Comparison]) -> Group:
    """Shows comparisons: the name of each cell, and under it a line a metric."""
    cells: dict[str, list[Comparison]] = {}
    for item in comparisons:
        cells.setdefault(f"{item.row} · {item.strategy}", []).append(item)
    parts: list[RenderableType] = []
    headed = True
    for name, items in cells.items():
        parts.append(Text(printable(name), style="cyan"))
        lines = [item for item in items if item.metric]
        if lines:
            table = columns(_METRICS, headed=headed)
            headed = False
            for item in lines:
                table.add_row(*_line(item))
            parts.append(table)
        parts += [
            Text(f"  {item.verdict}: {printable(item.rule)}", style=_STYLES.get(item.verdict, ""))
            for item in items
            if item.ratio is None
        ]
    return Group(*parts)


def _line(item: Comparison) -> tuple[str | Text, ...]:
    metric = METRICS[item.metric]
    sides = ("" if side is None else format_value(side.value, metric.unit) for side in (item.base, item.head))
    return (f"  {metric.label}", *sides, *_told(finding_of(item, 0.0)), _word(item.verdict))


def _told(found: Finding | None) -> tuple[str, str]:
    return ("", "") if found is None else (amount(found), interval(found))


def _word(verdict: str) -> Text:
    return Text(verdict, style=_STYLES.get(verdict, ""))


def verdicts_shown(verdicts: Sequence[Verdict], skipped: Sequence[Skipped]) -> Group:
    """Shows a gate's verdicts: the name of each cell and a line of it, and beneath all that a reader has to act on."""
    parts: list[RenderableType] = []
    for number, item in enumerate(ordered(verdicts)):
        found = {finding.metric: finding for finding in item.findings}
        cpu, available = (found.get(name) for name in ("cpu_per_job", "availability"))
        word = Text("  accepted") if item.accepted else Text("  ").append_text(_word(item.verdict))
        table = columns(_VERDICTS, headed=not number)
        table.add_row(word, *_told(found.get("time_per_job")), _told(cpu)[0], _told(available)[0])
        parts += [Text(printable(item.name), style="cyan"), table]
    for item, name, text in explained(verdicts):
        style = "" if item.accepted else _STYLES.get(item.verdict, "")
        parts.append(Text(f"{item.verdict}: {printable(name)}", style=style))
        parts.append(Padding.indent(Text(text), 2))  # also where a line goes on in the next one
    parts += [Text(printable(text), style="dim") for text in left_out(skipped)]
    return Group(*parts)
