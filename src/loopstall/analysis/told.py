"""A change in words: the same ones in every format, in rules and in tables."""

from loopstall.analysis.metrics import METRICS
from loopstall.records import Finding
from loopstall.records.units import format_value

__all__ = ["amount", "change", "difference", "interval", "least"]


def change(item: Finding) -> str:
    """Tells a finding: "time per job +10.4% [+9.8%, +11.2%] from 10.2 ms".

    The candidate's own figure is left out: by turns the change is estimated from pairs, and the medians of the two
    sides, which a drift of the machine moves, need not differ by as much.
    """
    metric = METRICS[item.metric]
    return f"{metric.label} {amount(item)} {interval(item)} from {format_value(item.base, metric.unit)}"


def amount(item: Finding) -> str:
    """Tells the change alone: "+10.4%", of a share in percentage points, "-1.6 pp"."""
    return difference(_signed(item, item.change.value), METRICS[item.metric].unit)


def interval(item: Finding) -> str:
    """Tells the interval of the change: "[+9.8%, +11.2%]"."""
    unit = METRICS[item.metric].unit
    low, high = sorted(_signed(item, bound) for bound in (item.change.low, item.change.high))
    return f"[{difference(low, unit)}, {difference(high, unit)}]"


def least(item: Finding) -> str:
    """Tells the least change that counts: "2.0%", of a share "2.0 pp"."""
    return difference(item.effect, METRICS[item.metric].unit).removeprefix("+")


def difference(value: float, unit: str) -> str:
    """Writes a change with its sign.

    Args:
        value: relative, 0.1 for ten percent more; of a share the difference, 0.1 for ten percentage points more.
        unit: of the metric.
    """
    rounded = round(100 * value, 1) + 0.0  # no "-0.0"
    return f"{rounded:+,.1f} pp" if unit == "share" else f"{rounded:+,.1f}%"


def _signed(item: Finding, value: float) -> float:
    """Returns what a metric changed by; a finding says by how much it got worse."""
    return -value if METRICS[item.metric].better == "higher" else value
