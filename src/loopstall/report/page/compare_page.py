"""Two results on one page: for each cell before and after in a sentence, and every run as a dot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import statistics
from typing import Any

from loopstall.analysis.compare import Figures, finding_of
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.told import amount, interval
from loopstall.records import Comparison
from loopstall.records.units import format_value
from loopstall.report.page.html import environment
from loopstall.stats.density import density

__all__ = ["Compared", "to_page"]

_WIDTH, _HALF = 600.0, 40.0
"""Of a drawing in its own units: its width, and the height of either side's curve."""
_POINTS = 80  # of a curve
_MARGIN = 0.06  # of the axis beyond the least and the greatest value
_SHOWN_TOO = ("lag_p99", "longest_stall")
"""Metrics that equal runs differ in too much to be judged, and that a reader wants to see nevertheless."""
_ORDER = ("failed", "regressed", "inconclusive", "improved", "ok", "added", "removed")
_WORDS = {
    "failed": "failed", "regressed": "got worse", "inconclusive": "could not be compared", "improved": "got better",
    "ok": "did not change", "added": "are new", "removed": "are gone",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The content of the page.

    Args:
        names: of the results before and after.
        sides: the figures of their cells.
        comparisons: of each cell and metric.
        notes: sentences about the comparison as a whole.
    """

    names: tuple[str, str]
    sides: tuple[Sequence[Figures], Sequence[Figures]]
    comparisons: Sequence[Comparison]
    notes: Sequence[str] = ()


def to_page(made: Compared) -> str:
    """Renders one self-contained page, the cells that got worse first."""
    by_cell: dict[tuple[str, str], list[Comparison]] = {}
    for item in made.comparisons:
        by_cell.setdefault((item.row, item.strategy), []).append(item)
    before, after = ({(one.row, one.strategy): one for one in side} for side in made.sides)
    cells = [_cell(key, items, before.get(key), after.get(key)) for key, items in by_cell.items()]
    cells.sort(key=lambda cell: _ORDER.index(cell["verdict"]))
    return (
        environment()
        .get_template("compare_page.html.j2")
        .render(title=f"{made.names[0]} → {made.names[1]}", made=made, cells=cells, verdict=_sentence(cells))
    )


def _sentence(cells: Sequence[Mapping[str, Any]]) -> str:
    if not cells:
        return "There is nothing to compare."
    counts = {word: sum(cell["verdict"] == word for cell in cells) for word in _ORDER}
    told = ", ".join(f"{count} {_WORDS[word]}" for word, count in counts.items() if count)
    return f"Of {len(cells)} cell{'' if len(cells) == 1 else 's'}: {told}."


def _cell(
    key: tuple[str, str], items: Sequence[Comparison], before: Figures | None, after: Figures | None
) -> dict[str, Any]:
    judged = {item.metric: item for item in items}
    metrics = [*(name for name in judged if name), *(_SHOWN_TOO if "" not in judged else ())]
    strips = [
        _strip(name, judged.get(name), values)
        for name in metrics
        if all(values := tuple(_values(side, name) for side in (before, after)))
    ]
    return {
        "row": key[0],
        "strategy": key[1],
        "verdict": min((item.verdict for item in items), key=_ORDER.index),
        "why": [item.rule for item in items if item.ratio is None],
        "strips": strips,
    }


def _values(side: Figures | None, metric: str) -> list[float]:
    """Returns a value a run of a side."""
    if side is None:
        return []
    if metric in side.values:
        return list(side.values[metric])
    return [METRICS[metric].read(run.measured) for run in side.runs if run.measured is not None]


def _strip(name: str, judged: Comparison | None, sides: tuple[list[float], ...]) -> dict[str, Any]:
    """Returns a metric of a cell: before and after in words, and where each run and each curve lies."""
    metric = METRICS[name]
    least, most = min(min(side) for side in sides), max(max(side) for side in sides)
    margin = (most - least) * _MARGIN or abs(most) * _MARGIN or 1.0
    low, span = least - margin, most - least + 2 * margin
    at = [low + span * number / (_POINTS - 1) for number in range(_POINTS)]

    def x(value: float) -> float:
        return round(_WIDTH * (value - low) / span, 1)

    drawn = [
        {
            "curve": " ".join(f"{x(where)},{height * _HALF:.1f}" for where, height in zip(at, curve, strict=True)),
            "dots": [x(value) for value in side],
            "median": x(statistics.median(side)),
        }
        for side, curve in ((side, density(side, at) or [0.0] * _POINTS) for side in sides)
    ]
    texts = [format_value(statistics.median(side), metric.unit) for side in sides]
    finding = finding_of(judged, 0.0) if judged is not None else None
    if judged is None:
        change = "not judged, for equal runs differ in it by a third and more"
    elif finding is None:
        change = f"{judged.verdict}: {judged.rule}"
    else:
        change = f"{amount(finding)} {interval(finding)}, {judged.verdict}"
    return {
        "name": metric.label,
        "told": f"{texts[0]} before, {texts[1]} after: {change}.",
        "verdict": judged.verdict if judged is not None else "",
        "sides": drawn,
        "ends": [format_value(value, metric.unit) for value in (least, most)],
        "width": _WIDTH,
        "half": _HALF,
    }
