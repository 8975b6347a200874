"""Which measured strategy to take for a job: the one with the least lag of those that lose little throughput."""

from collections.abc import Sequence

from loopstall.records import Summary
from loopstall.records.clock import NS_PER_MS

__all__ = ["LOSS", "MOST_LOSS", "alternative", "recommended"]

LOSS = 0.1
"""The share of the best throughput that is given up for less loop lag: less is within what runs differ by."""

MOST_LOSS = 0.5
"""The share of the throughput beyond which less loop lag alone is no reason to name a strategy: from there on it takes
twice the machines."""

_ALIKE = 1.1
"""Lags of so many times the least are taken to be the same."""

_HARMLESS_NS = NS_PER_MS
"""A lag that short is no client's trouble: among strategies that have less, throughput decides."""

_FAR_LESS = 0.5
"""The share of the recommended one's lag from which a slower strategy is worth a word."""


def recommended(row: Sequence[Summary], *, loop: str = "") -> Summary | None:
    """Returns the strategy to take; None where none was measured that keeps the budget.

    Args:
        row: the cells of one job under one load.
        loop: the loop that the program has; its strategies go first, because they change the least.
    """
    fit = _fit(row, loop)
    if not fit:
        return None
    most = max(item["throughput"].value for item in fit)
    near = [item for item in fit if item["throughput"].value >= (1 - LOSS) * most]
    least = min(item["lag_p99"].value for item in near)
    quiet = [item for item in near if item["lag_p99"].value <= max(_ALIKE * least, _HARMLESS_NS)]
    return max(quiet, key=lambda item: item["throughput"].value)


def alternative(row: Sequence[Summary], taken: Summary, *, loop: str = "") -> Summary | None:
    """Returns a strategy with far less lag than the recommended one at a loss of up to ``MOST_LOSS``; None for none."""
    lag, enough = taken["lag_p99"].value, (1 - MOST_LOSS) * taken["throughput"].value
    affordable = [item for item in _fit(row, loop) if item["throughput"].value >= enough]
    least = min(affordable, key=lambda item: item["lag_p99"].value)
    return least if lag > _HARMLESS_NS and least["lag_p99"].value <= _FAR_LESS * lag else None


def _fit(row: Sequence[Summary], loop: str) -> list[Summary]:
    fit = [item for item in row if item.runs and not item.trap and item.error is None]
    return [item for item in fit if item.cell.strategy.loop == loop] or fit
