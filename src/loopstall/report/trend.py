"""Figures over commits: a table for the terminal, CSV, and the files that Apache Otava reads."""

from collections.abc import Sequence
import io
import re

from rich.console import Console, Group, RenderableType
from rich.text import Text

from loopstall.analysis.metrics import METRICS
from loopstall.analysis.told import difference
from loopstall.records import Change, Reading, Trend
from loopstall.records.units import format_value
from loopstall.report.columns import Column, columns
from loopstall.report.escape import csv_row, printable, tamed

__all__ = ["moved", "sentences", "to_csv", "to_otava", "to_text", "trends_shown"]

_COLUMNS = (
    "workload", "strategy", "load", "machine", "metric", "unit", "measured_at", "committed_at", "commit", "value",
    "low", "high", "runs", "change",
)  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 30  # values that a line draws, the newest ones
_TABLE = (
    Column("", 19, left=True), Column("newest", 8), Column("results", 7), Column("last change", 11),
    Column("over the commits", 16, left=True),
)  # fmt: skip
_SHORT = 12  # of a commit's name
_WIDTH = 120
_MORE = re.compile(r"[^A-Za-z0-9_]+")


def trends_shown(trends: Sequence[Trend]) -> Group:
    """Shows each cell's name, and under it each series as a line of bars, with its newest value and last change."""
    cells: dict[str, list[Trend]] = {}
    for item in trends:
        cells.setdefault(f"{item.row} · {item.strategy}", []).append(item)
    parts: list[RenderableType] = []
    for number, (name, items) in enumerate(cells.items()):
        table = columns(_TABLE, headed=not number)
        for item in items:
            table.add_row(*_line(item))
        parts += [Text(printable(name), style="cyan"), table]
    return Group(*parts)


def _line(item: Trend) -> tuple[str | Text, ...]:
    metric = METRICS[item.metric]
    last = item.changes[-1] if item.changes else None
    style = "" if last is None or not metric.better else "bold red" if _worse(item, last) else "green"
    return (
        f"  {metric.label}",
        format_value(item.readings[-1].value, metric.unit),
        str(len(item.readings)),
        Text("none" if last is None else moved(item, last), style=style),
        _bars(item),
    )


def sentences(trends: Sequence[Trend]) -> list[str]:
    """Describes every change in a sentence, the newest first."""
    found = [(item, change) for item in trends for change in item.changes]
    found.sort(key=lambda pair: pair[0].readings[pair[1].at].measured_at, reverse=True)
    said = []
    for item, change in found:
        metric = METRICS[item.metric]
        before = format_value(change.before, metric.unit)
        said.append(
            printable(f"{_commit(item.readings[change.at])}: {metric.label} of {item.row} {item.strategy}"
                      f" {moved(item, change)} from {before}")
        )  # fmt: skip
    return said or ["No figure changed level."]


def to_text(trends: Sequence[Trend]) -> str:
    """Returns the table and the sentences as a file holds them."""
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, highlight=False, markup=False)
    console.print(trends_shown(trends))
    for sentence in sentences(trends):
        console.print(sentence, soft_wrap=True)
    return "\n".join(map(tamed, text.getvalue().split("\n")))  # a table may fold a text to the start of a line


def to_csv(trends: Sequence[Trend]) -> str:
    """Returns a row a value, with the change where a new level begins."""
    rows = [csv_row(*_COLUMNS)]
    for item in trends:
        begins = {change.at: moved(item, change) for change in item.changes}
        for number, one in enumerate(item.readings):
            rows.append(
                csv_row(
                    one.row, one.strategy, one.load, one.machine, one.metric, METRICS[one.metric].unit,
                    one.measured_at, one.committed_at, one.commit, one.value, one.low, one.high, one.runs,
                    begins.get(number, ""),
                )
            )  # fmt: skip
    return "".join(rows)


def to_otava(readings: Sequence[Reading]) -> dict[str, str]:
    """Returns files that Apache Otava's CSV importer reads: one a cell, a metric a column, and their otava.yaml."""
    cells: dict[tuple[str, str, str], list[Reading]] = {}
    for item in readings:
        cells.setdefault((item.row, item.strategy, item.load), []).append(item)
    files: dict[str, str] = {}
    config = ["tests:"]
    for (row, strategy, load), items in cells.items():
        metrics = list(dict.fromkeys(item.metric for item in items))
        results: dict[tuple[str, str], dict[str, float]] = {}
        for item in items:
            results.setdefault((item.committed_at or item.measured_at, item.commit), {})[item.metric] = item.value
        name = _unused(_MORE.sub("-", f"{row} {strategy} {load}").strip("-")[:100] or "cell", files)
        rows = [csv_row("time", "commit", *metrics)]
        for (when, commit), values in results.items():
            rows.append(csv_row(when, commit, *(values.get(metric, "") for metric in metrics)))
        files[f"{name}.csv"] = "".join(rows)
        config += [
            f"  {name}:", "    type: csv", f"    file: {name}.csv", "    time_column: time", "    attributes: [commit]",
            "    metrics:",
        ]  # fmt: skip
        for metric in metrics:
            direction = {"lower": -1, "higher": 1}.get(METRICS[metric].better, 0)
            config += [f"      {metric}:", f"        column: {metric}"]
            config += [f"        direction: {direction}"] if direction else []
    files["otava.yaml"] = "\n".join([*config, ""])
    return files


def moved(item: Trend, change: Change) -> str:
    """Tells a change of level: as a share of what was before, of a share in percentage points."""
    unit = METRICS[item.metric].unit
    if unit == "share":
        return difference(change.after - change.before, unit)
    return difference(change.after / change.before - 1, unit) if change.before else "from zero"


def _worse(item: Trend, change: Change) -> bool:
    return (change.after > change.before) == (METRICS[item.metric].better == "lower")


def _bars(item: Trend) -> Text:
    first = max(0, len(item.readings) - _SHOWN)
    values = [one.value for one in item.readings[first:]]
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    text = Text("".join(_BARS[round((value - low) * scale)] for value in values))
    for change in item.changes:
        if change.at >= first:
            text.stylize("bold red" if _worse(item, change) else "green", change.at - first, change.at - first + 1)
    return text


def _commit(item: Reading) -> str:
    return printable(item.commit[:_SHORT] or f"{item.measured_at[:16]} UTC")


def _unused(name: str, files: dict[str, str]) -> str:
    number, free = 2, name
    while f"{free}.csv" in files:
        free, number = f"{name}-{number}", number + 1
    return free
