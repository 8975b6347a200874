"""Two results, cell by cell: what changed beyond its interval and beyond the noise of measuring apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from loopstall.analysis.metrics import METRICS
from loopstall.analysis.summary import samples
from loopstall.records import Cell, Comparison, Environment, Estimate, Finding, Run
from loopstall.records.units import counted
from loopstall.stats.median import median_estimate
from loopstall.stats.ratio import MIN_RUNS, ratio_estimate

__all__ = [
    "COMPARED",
    "NOISE_THRESHOLD",
    "Figures",
    "compare",
    "differing",
    "figures_of",
    "finding_of",
    "noise_of_controls",
]

NOISE_THRESHOLD = 0.10
"""Two results measured one after the other differ by several percent on a machine that others share, whatever
the interval over runs says: what is smaller than this is not called a change."""

COMPARED = ("time_per_job", "cpu_per_job", "availability")
"""The metrics that a machine can repeat; p99.9 and the maximum vary by a third and more between equal runs."""

_SAME = ("python", "kernel", "cpu", "cores", "governor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of a cell on one side: a value a run for each metric, or the failure that took their place.

    ``cell`` and its ``runs`` are there where they are a result of loopstall's.
    """

    row: str
    strategy: str
    key: tuple[str, ...]
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    failure: str = ""
    cell: Cell | None = None
    runs: tuple[Run, ...] = ()

    @classmethod
    def nothing(cls, cell: Cell) -> Self:
        """Returns what is known of a cell for which there was no time."""
        values = dict.fromkeys(COMPARED, ())
        return cls(row=cell.row, strategy=str(cell.strategy), key=cell.key, values=values, cell=cell)

    @property
    def scarce(self) -> bool:
        """True where there are too few runs for an interval, and no failure is to blame."""
        return not self.failure and any(len(values) < MIN_RUNS for values in self.values.values())

    @property
    def control(self) -> bool:
        """True where the work does not depend on the code that is measured."""
        return self.cell is not None and self.cell.control


def figures_of(runs: Sequence[Run]) -> list[Figures]:
    """Returns the figures of each cell of a result."""
    found: list[Figures] = []
    for cell, sample in samples(runs).items():
        good = [run.measured for run in sample if run.measured is not None]
        found.append(
            Figures(
                row=cell.row,
                strategy=str(cell.strategy),
                key=cell.key,
                values={name: [METRICS[name].read(measured) for measured in good] for name in COMPARED},
                failure=next((run.error.message for run in sample if run.error is not None), ""),
                cell=cell,
                runs=tuple(sample),
            )
        )
    return found


def compare(base: Sequence[Figures], head: Sequence[Figures], *, noise: float = NOISE_THRESHOLD) -> list[Comparison]:
    """Compares every cell of two results by the ratio head / base of each metric that both have.

    Args:
        base: the cells of the one side.
        head: those of the other.
        noise: the least change that counts; 0.1 is ten percent, or ten points of availability.

    Returns:
        One comparison a cell and metric: ``ok``, ``regressed``, ``improved``, ``inconclusive`` with what is
        missing, ``failed`` where a side holds a failure, ``added`` or ``removed`` where one side lacks the cell.
    """
    sides = [{item.key: item for item in side} for side in (base, head)]
    compared: list[Comparison] = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = _on_one_host([side[key] for side in sides if key in side])
        failures = [item.failure for item in pair if item.failure]
        if len(pair) == 1:
            word, side = ("added", "base") if key not in sides[0] else ("removed", "head")
            compared.append(_whole(pair[0], word, f"not in {side}"))
        elif failures:
            compared.append(_whole(pair[0], "failed", failures[0]))
        elif pair[0].values.keys().isdisjoint(pair[1].values):
            units = " and ".join("/".join(item.values) for item in pair)
            compared.append(_whole(pair[0], "inconclusive", f"the sides measured different things: {units}"))
        else:
            compared += [
                _judge(pair[0], pair[1], metric, noise) for metric in pair[0].values if metric in pair[1].values
            ]
    return compared


def _on_one_host(pair: Sequence[Figures]) -> list[Figures]:
    """Leaves the runs of one host, where a side has those of several: the one with most runs on both sides."""
    hosts = [Counter(run.environment.host for run in item.runs if run.environment is not None) for item in pair]
    if all(len(counts) < 2 for counts in hosts):  # noqa: PLR2004
        return list(pair)
    common = Counter(hosts[0]) if len(hosts) == 1 else hosts[0] & hosts[1]
    if not common:
        return list(pair)
    chosen = common.most_common(1)[0][0]
    return [
        figures_of([run for run in item.runs if run.environment is not None and run.environment.host == chosen])[0]
        for item in pair
    ]


def _whole(item: Figures, word: str, rule: str) -> Comparison:
    return Comparison(row=item.row, strategy=item.strategy, metric="", verdict=word, rule=rule)


def _judge(one: Figures, other: Figures, name: str, noise: float) -> Comparison:
    metric = METRICS[name]
    base, head = one.values[name], other.values[name]

    def verdict(word: str, rule: str, ratio: Estimate | None = None) -> Comparison:
        return Comparison(
            row=one.row,
            strategy=one.strategy,
            metric=name,
            base=median_estimate(base) if base else None,
            head=median_estimate(head) if head else None,
            ratio=ratio,
            verdict=word,
            rule=rule,
        )

    if min(len(base), len(head)) < MIN_RUNS:
        few = f"{counted(len(base), 'run')} against {len(head)}"
        return verdict("inconclusive", f"{few}, and an interval needs {MIN_RUNS} on each side")
    if min(*base, *head) <= 0:
        word = "ok" if max(base) <= 0 and max(head) <= 0 else "inconclusive"
        return verdict(word, f"the {metric.label} of a run is zero, to which there is no ratio")
    ratio = ratio_estimate(base, head)
    found = _told(name, ratio, median_estimate(base).value)
    share = metric.unit == "share"
    gain = noise if share else noise / (1 + noise)  # of a ratio, what takes a loss of that size back
    word = "regressed" if found.low > noise else "improved" if found.high < -gain else "ok"
    what = f"difference against a noise threshold of {100 * noise:.0f} pp"
    against = what if share else f"ratio against a noise threshold of {noise:.0%}"
    return verdict(word, f"95% interval of the {against}", ratio)


def _told(name: str, ratio: Estimate, base: float) -> Estimate:
    """Returns the change as it is told and judged: relative, of a share in points; positive where it got worse."""
    metric = METRICS[name]
    factor = (base if metric.unit == "share" else 1.0) * (-1.0 if metric.better == "higher" else 1.0)
    low, high = sorted((factor * (ratio.low - 1), factor * (ratio.high - 1)))
    return replace(ratio, value=factor * (ratio.value - 1), low=low, high=high)


def finding_of(one: Comparison, threshold: float) -> Finding | None:
    """Returns the change of a comparison as one of pairs is told; None where it has no ratio.

    Args:
        one: the comparison.
        threshold: the least change that counts.
    """
    if one.ratio is None or one.base is None or one.head is None:
        return None
    change = _told(one.metric, one.ratio, one.base.value)
    return Finding(metric=one.metric, base=one.base.value, head=one.head.value, change=change, effect=threshold)


def differing(base: Environment | None, head: Environment | None) -> list[str]:
    """Describes the known differences between the machines of two sides."""
    if base is None or head is None:
        return []
    pairs = ((name, getattr(base, name), getattr(head, name)) for name in _SAME)
    return [f"{name} {old} against {new}" for name, old, new in pairs if old != new]


def noise_of_controls(base: Sequence[Figures], head: Sequence[Figures]) -> float:
    """Returns by how much the control cells of two sides differ at most: their work is the same on both.

    Returns:
        A relative change, 0.1 for ten percent; 0 where the sides have no control cell in common.
    """
    others = {item.key: item for item in head if item.control}
    changes: list[float] = []
    for item in base:
        other = others.get(item.key)
        if not item.control or other is None:
            continue
        for name in ("time_per_job", "cpu_per_job"):
            values = [side.values.get(name, ()) for side in (item, other)]
            if all(values) and min(*values[0], *values[1]) > 0:
                ratio = median_estimate(values[1]).value / median_estimate(values[0]).value
                changes.append(max(ratio, 1 / ratio) - 1)
    return max(changes, default=0.0)
