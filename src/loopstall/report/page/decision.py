"""The decision table: workload rows by strategy columns, a figure at a time, the best of each row marked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import math

from loopstall.analysis.diagnosis import measure_again
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.summary import Budget, Budgets
from loopstall.records import Cell, Estimate, Skipped, Summary
from loopstall.records.units import format_value
from loopstall.report.layout import Layout, layouts

__all__ = ["FIGURES", "Figure", "Row", "Table", "decision_table"]

FIGURES = ("lag_p99", "longest_stall", "throughput", "availability", "cpu_per_job", "peak_memory")
"""The metrics of the table; it begins with the first, by which a strategy is chosen among those without a trap."""

_SHADES = 6
_OVER = 4
"""The shade from which on a cell is over its budget: those below are green to yellow, those from it orange to red."""

_WIDEST = 10
"""Columns that a page of 1300 px shows without scrolling; where there are more, each loop has rows of its own."""

_NEAR = 1.02
"""A figure within two percent of the best is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of a cell as it is shown; its shade runs from 0 for good to 6 for bad."""

    name: str
    value: float
    text: str
    low: str
    high: str
    confidence: float
    runs: int
    shade: int
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """A cell of the table: figures, a reason why there are none, or the kind of failure.

    ``marks`` say which budgets a trap breaks, ``finding`` is the number of the finding that recommends it, 0 for none.
    """

    number: int = -1
    figures: tuple[Figure, ...] = ()
    marks: tuple[str, ...] = ()
    finding: int = 0
    why: str = ""
    error: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A workload with its parameters; an entry a column, None where nothing was planned.

    ``command`` measures the row again.
    """

    label: tuple[str, ...]
    entries: tuple[TableCell | None, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns, grouped by loop, and the rows."""

    loops: tuple[tuple[str, int], ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def decision_table(
    summaries: Sequence[Summary],
    skipped: Sequence[Skipped],
    budgets: Budgets,
    recommended: Mapping[Cell, int] | None = None,
) -> Table:
    """Lays a matrix out as one table over all loops.

    Args:
        summaries: of its cells.
        skipped: those that were not measured.
        budgets: what the cells are coloured by.
        recommended: by cell the number of the finding that recommends it.
    """
    laid = layouts(summaries, skipped)
    made = _Maker(
        numbers={item.cell: number for number, item in enumerate(summaries)},
        budgets=budgets,
        recommended=recommended or {},
    )
    columns = tuple((grid.loop, dispatch) for grid in laid for dispatch in grid.dispatches)
    labels = {row: grid.labels[row] for grid in laid for row in grid.rows}
    if len(columns) <= _WIDEST:
        rows = [_row(made, label, [_at(laid, loop, name, dispatch) for loop, dispatch in columns])
                for name, label in labels.items()]  # fmt: skip
        groups = tuple((grid.loop, len(grid.dispatches)) for grid in laid)
        return Table(loops=groups, columns=columns, rows=tuple(rows))
    dispatches = tuple(dict.fromkeys(dispatch for _, dispatch in columns))
    rows = [
        _row(made, (*label, grid.loop), [grid.rows[name].get(dispatch) for dispatch in dispatches])
        for name, label in labels.items()
        for grid in laid
        if name in grid.rows
    ]
    return Table(loops=(), columns=tuple(("", dispatch) for dispatch in dispatches), rows=tuple(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """The ingredients of entries beside their figures."""

    numbers: Mapping[Cell, int]
    budgets: Budgets
    recommended: Mapping[Cell, int]

    def entry(self, item: Summary | Skipped | None, scales: "dict[str, _Scale]") -> TableCell | None:
        """Returns the entry of a cell."""
        if item is None:
            return None
        if isinstance(item, Skipped):
            return TableCell(reason=item.reason)
        error = item.error.kind if item.error is not None else ""
        if not item.runs:
            return TableCell(number=self.numbers[item.cell], error=error or "nothing")
        budget = self.budgets.of(item.cell)
        over = item.trap or any(shade(item[name].value, budget) >= _OVER for name, shade in _BY_BUDGET.items())
        least = _OVER if over else 0
        return TableCell(
            number=self.numbers[item.cell],
            figures=tuple(
                _figure(name, item[name], scales[name], budget, least=least, choice=not item.trap) for name in FIGURES
            ),
            marks=tuple(mark for name, mark in _MARKS.items() if name in item.broken) if item.trap else (),
            finding=self.recommended.get(item.cell, 0),
            why=item.why,
            error=error,
        )


def _row(made: _Maker, label: tuple[str, ...], items: Sequence[Summary | Skipped | None]) -> Row:
    measured = [item for item in items if isinstance(item, Summary) and item.runs]
    scales = {figure: _scale(figure, measured) for figure in FIGURES} if measured else {}
    cells = [item.cell for item in items if item is not None]
    return Row(
        label=label,
        entries=tuple(made.entry(item, scales) for item in items),
        command=measure_again(*[item.cell for item in measured] or cells),
    )


def _at(laid: Sequence[Layout], loop: str, row: str, dispatch: str) -> Summary | Skipped | None:
    grid = next(grid for grid in laid if grid.loop == loop)
    return grid.rows.get(row, {}).get(dispatch)


_Scale = Callable[[float], tuple[int, bool]]


def _figure(name: str, estimate: Estimate, scale: _Scale, budget: Budget, *, least: int, choice: bool) -> Figure:
    unit = METRICS[name].unit
    shade, best = scale(estimate.value)
    if name in _BY_BUDGET:
        shade = _BY_BUDGET[name](estimate.value, budget)
    text = "none" if name == "longest_stall" and not estimate.value else format_value(estimate.value, unit)
    return Figure(
        name=name,
        value=estimate.value,
        text=text,
        low=format_value(estimate.low, unit),
        high=format_value(estimate.high, unit),
        confidence=estimate.confidence,
        runs=estimate.runs,
        shade=max(shade, least),
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

    apart = len(row) > 1 and max(map(ratio, values)) > _NEAR  # where all are as good, none is marked
    return lambda value: (
        _clamp(2 * math.log2(min(max(ratio(value), 1.0), 1e9)), most=_OVER - 1),  # a trap may be better than the best
        apart and ratio(value) <= _NEAR,
    )


def _clamp(value: float, *, least: int = 0, most: int = _SHADES) -> int:
    return max(least, min(most, round(value)))


def _of_time(value_ns: float, budget: Budget) -> int:
    """Returns 0 for a thirtieth of the budget and less, 3 for all of it, 4 for more, 6 for four times and more."""
    share = max(value_ns, 1.0) / max(budget.stall_ns, 1)
    if share > 1:
        return _clamp(_OVER + math.floor(math.log2(share)))
    return _clamp(3 + 2 * math.log10(share), most=_OVER - 1)


def _of_availability(value: float, budget: Budget) -> int:
    """Returns 0 for all of the time, 3 for the least that is allowed, 4 to 6 for less."""
    if value < budget.availability:
        return _clamp(_OVER + 2 * (1 - value / budget.availability))
    return _clamp(3 * (1 - value) / max(1 - budget.availability, 1e-9), most=_OVER - 1)


_BY_BUDGET: dict[str, Callable[[float, Budget], int]] = {
    "lag_p99": _of_time,
    "longest_stall": _of_time,
    "availability": _of_availability,
}
"""Figures that are good or bad whatever the others of the row are."""

_MARKS = {"longest_stall": "stall", "availability": "availability"}
