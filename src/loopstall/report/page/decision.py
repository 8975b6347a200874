"""The decision table: workload rows by strategy columns, a figure at a time, the best of each row marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

from loopstall.analysis.metrics import METRICS
from loopstall.records import Cell, Estimate, Skipped, Summary
from loopstall.records.units import format_value
from loopstall.report.layout import Layout, layouts

__all__ = ["FIGURES", "Figure", "Row", "Table", "decision_table"]

FIGURES = ("throughput", "lag_p99", "availability", "longest_stall", "cpu_per_job", "peak_memory")
"""The metrics of the table; it begins with the first."""

_SHADES = 6
_NEAR = 1.02
"""A figure within two percent of the best is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of a cell as it is shown; its shade runs from 0 for good to 6 for bad."""

    name: str
    text: str
    low: str
    high: str
    confidence: float
    runs: int
    shade: int
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """A cell of the table: figures, a reason why there are none, or the kind of failure."""

    number: int = -1
    figures: tuple[Figure, ...] = ()
    trap: bool = False
    why: str = ""
    error: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A workload with its parameters; an entry a column, None where nothing was planned."""

    label: tuple[str, ...]
    entries: tuple[TableCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns, grouped by loop, and the rows."""

    loops: tuple[tuple[str, int], ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def decision_table(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> Table:
    """Lays a matrix out as one table over all loops."""
    laid = layouts(summaries, skipped)
    numbers = {item.cell: number for number, item in enumerate(summaries)}
    columns = tuple((grid.loop, dispatch) for grid in laid for dispatch in grid.dispatches)
    labels = {row: grid.labels[row] for grid in laid for row in grid.rows}
    rows = []
    for name, label in labels.items():
        items = [_at(laid, loop, name, dispatch) for loop, dispatch in columns]
        measured = [item for item in items if isinstance(item, Summary) and item.runs]
        scales = {figure: _scale(figure, measured) for figure in FIGURES} if measured else {}
        entries = tuple(_entry(item, scales, numbers) for item in items)
        rows.append(Row(label=label, entries=entries))
    return Table(loops=tuple((grid.loop, len(grid.dispatches)) for grid in laid), columns=columns, rows=tuple(rows))


def _at(laid: Sequence[Layout], loop: str, row: str, dispatch: str) -> Summary | Skipped | None:
    grid = next(grid for grid in laid if grid.loop == loop)
    return grid.rows.get(row, {}).get(dispatch)


_Scale = Callable[[float], tuple[int, bool]]


def _entry(item: Summary | Skipped | None, scales: dict[str, _Scale], numbers: dict[Cell, int]) -> TableCell | None:
    if item is None:
        return None
    if isinstance(item, Skipped):
        return TableCell(reason=item.reason)
    error = item.error.kind if item.error is not None else ""
    if not item.runs:
        return TableCell(number=numbers[item.cell], error=error or "nothing")
    return TableCell(
        number=numbers[item.cell],
        figures=tuple(_figure(name, item[name], scales[name], choice=not item.trap) for name in FIGURES),
        trap=item.trap,
        why=item.why,
        error=error,
    )


def _figure(name: str, estimate: Estimate, scale: _Scale, *, choice: bool) -> Figure:
    unit = METRICS[name].unit
    shade, best = scale(estimate.value)
    text = "none" if name == "longest_stall" and not estimate.value else format_value(estimate.value, unit)
    return Figure(
        name=name,
        text=text,
        low=format_value(estimate.low, unit),
        high=format_value(estimate.high, unit),
        confidence=estimate.confidence,
        runs=estimate.runs,
        shade=shade,
        best=best and choice,
    )


def _scale(name: str, row: Sequence[Summary]) -> _Scale:
    """Returns a function from a value to its shade, and whether it is the best of its row or as good.

    A trap is no choice: the best is one of the others, where there are any.
    """
    values = [item[name].value for item in row if not item.trap] or [item[name].value for item in row]
    best = max(values) if METRICS[name].better == "higher" else min(values)

    def ratio(value: float) -> float:
        worse, better = (best, value) if METRICS[name].better == "higher" else (value, best)
        return worse / better if better > 0 else (1.0 if worse == better else math.inf)

    absolute = _ABSOLUTE.get(name)
    apart = len(row) > 1 and max(map(ratio, values)) > _NEAR  # where all are as good, none is marked
    return lambda value: (
        absolute(value) if absolute else _clamp(2 * math.log2(min(ratio(value), 1e9))),
        apart and ratio(value) <= _NEAR,
    )


def _clamp(value: float) -> int:
    return max(0, min(_SHADES, round(value)))


def _of_time(value_ns: float) -> int:
    """Returns 0 to 6 for 0.3 ms and less to 300 ms and more, half a decade a step."""
    return _clamp(2 * (math.log10(max(value_ns, 1)) - 5.5))


_ABSOLUTE: dict[str, Callable[[float], int]] = {
    "lag_p99": _of_time,
    "longest_stall": _of_time,
    "availability": lambda value: _clamp(_SHADES * (1 - value) * 1.2),
}
"""Figures that are good or bad whatever the others of the row are."""
