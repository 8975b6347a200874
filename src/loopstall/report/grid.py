"""How a matrix is laid out in every report: one grid a loop, workload rows and dispatch columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopstall.records import Cell, Skipped, Summary

__all__ = ["Grid", "grids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The cells of one loop by row and dispatch; what was not planned is absent."""

    loop: str
    dispatches: tuple[str, ...]
    rows: dict[str, dict[str, Summary | Skipped]]
    labels: dict[str, tuple[str, ...]]
    """Of each row the workload's name, then a word for a control, then its parameters."""


def _label(cell: Cell) -> tuple[str, ...]:
    control = ("control",) if cell.control else ()
    return (cell.workload.name, *control, *(f"{name}={value}" for name, value in cell.params))


def grids(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> list[Grid]:
    """Lays summaries and skipped cells out, in the order in which they come."""
    items: list[Summary | Skipped] = [*summaries, *skipped]
    laid: list[Grid] = []
    for loop in dict.fromkeys(item.cell.strategy.loop for item in items):
        here = [item for item in items if item.cell.strategy.loop == loop]
        rows: dict[str, dict[str, Summary | Skipped]] = {}
        for item in here:
            rows.setdefault(item.cell.row, {})[item.cell.strategy.dispatch] = item
        laid.append(
            Grid(
                loop=loop,
                dispatches=tuple(dict.fromkeys(item.cell.strategy.dispatch for item in here)),
                rows=rows,
                labels={item.cell.row: _label(item.cell) for item in here},
            )
        )
    return laid
