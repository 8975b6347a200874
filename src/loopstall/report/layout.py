"""The layout of a matrix in every report: a table a loop, with workload rows and dispatch columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopstall.records import Cell, Skipped, Summary

__all__ = ["SERVERS", "Layout", "is_served", "layouts"]

SERVERS = "servers"
"""The name of the layout of servers under load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The cells of one loop by row and dispatch; what was not planned is absent. All servers are one layout."""

    loop: str
    dispatches: tuple[str, ...]
    rows: dict[str, dict[str, Summary | Skipped]]
    labels: dict[str, tuple[str, ...]]
    """Of each row the workload's name, then a word for a control, then its parameters."""


def _label(cell: Cell) -> tuple[str, ...]:
    control = ("control",) if cell.control else ()
    server = (cell.strategy.loop,) if cell.load.heavy is not None else ()
    return (*server, cell.workload.name, *control, *(f"{name}={value}" for name, value in cell.params))


def _place(cell: Cell) -> tuple[str, str]:
    """Returns the layout and the row that a cell is in: a server is a row, as its ways are compared with each other."""
    if cell.load.heavy is not None:
        return SERVERS, f"{cell.strategy.loop} {cell.row}"
    return cell.strategy.loop, cell.row


def layouts(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> list[Layout]:
    """Lays summaries and skipped cells out, in the order in which they come."""
    items: list[Summary | Skipped] = [*summaries, *skipped]
    laid: list[Layout] = []
    for loop in dict.fromkeys(_place(item.cell)[0] for item in items):
        here = [item for item in items if _place(item.cell)[0] == loop]
        rows: dict[str, dict[str, Summary | Skipped]] = {}
        for item in here:
            rows.setdefault(_place(item.cell)[1], {})[item.cell.strategy.dispatch] = item
        laid.append(
            Layout(
                loop=loop,
                dispatches=tuple(dict.fromkeys(item.cell.strategy.dispatch for item in here)),
                rows=rows,
                labels={_place(item.cell)[1]: _label(item.cell) for item in here},
            )
        )
    return laid


def is_served(summaries: Sequence[Summary], skipped: Sequence[Skipped]) -> bool:
    """Returns whether any cell is a server under load."""
    cells = [*(item.cell for item in summaries), *(item.cell for item in skipped)]
    return any(cell.load.heavy is not None for cell in cells)
