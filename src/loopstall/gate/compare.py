"""Two results, cell by cell: what changed beyond its interval and beyond the noise of measuring apart."""

from collections.abc import Sequence

from loopstall.gate.policy import samples
from loopstall.metrics import METRICS
from loopstall.records import Comparison, Estimate, Run
from loopstall.stats.median import median_estimate
from loopstall.stats.ratio import MIN_RUNS, ratio_estimate

__all__ = ["COMPARED", "NOISE_THRESHOLD", "compare"]

NOISE_THRESHOLD = 0.10
"""Two results measured one after the other differ by several percent on a machine that others share, whatever
the interval over runs says: what is smaller than this is not called a change."""

COMPARED = ("time_per_job", "cpu_per_job", "availability")
"""What a machine can repeat; p99.9 and the maximum vary by a third and more between equal runs."""


def compare(base: Sequence[Run], head: Sequence[Run], *, noise: float = NOISE_THRESHOLD) -> list[Comparison]:
    """Compares every cell of two results by the ratio head / base of each compared metric.

    Args:
        base: the runs of the one side.
        head: the runs of the other.
        noise: the least relative change that counts; 0.1 is ten percent.

    Returns:
        One comparison a cell and metric: ``ok``, ``regressed``, ``improved``, ``inconclusive`` with what is
        missing, ``failed`` where a side holds a failure, ``added`` or ``removed`` where one side lacks the cell.
    """
    sides = [{cell.key: (cell, runs) for cell, runs in samples(side).items()} for side in (base, head)]
    compared: list[Comparison] = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        row, strategy, _ = key
        if key not in sides[0] or key not in sides[1]:
            verdict, side = ("added", "base") if key not in sides[0] else ("removed", "head")
            compared.append(Comparison(row=row, strategy=strategy, metric="", verdict=verdict, rule=f"not in {side}"))
            continue
        pair = (sides[0][key][1], sides[1][key][1])
        failed = next((run.error for runs in pair for run in runs if run.error is not None), None)
        if failed is not None:
            compared.append(Comparison(row=row, strategy=strategy, metric="", verdict="failed", rule=failed.message))
            continue
        compared += [_judge(row, strategy, metric, pair, noise) for metric in COMPARED]
    return compared


def _judge(row: str, strategy: str, name: str, pair: tuple[Sequence[Run], Sequence[Run]], noise: float) -> Comparison:
    metric = METRICS[name]
    base, head = ([metric.read(run.measured) for run in runs if run.measured is not None] for runs in pair)

    def verdict(word: str, rule: str, ratio: Estimate | None = None) -> Comparison:
        return Comparison(
            row=row,
            strategy=strategy,
            metric=name,
            base=median_estimate(base),
            head=median_estimate(head),
            ratio=ratio,
            verdict=word,
            rule=rule,
        )

    if min(len(base), len(head)) < MIN_RUNS:
        return verdict("inconclusive", f"{min(len(base), len(head))} runs a side; an interval needs {MIN_RUNS}")
    if min(*base, *head) <= 0:
        word = "ok" if max(base) <= 0 and max(head) <= 0 else "inconclusive"
        return verdict(word, "a run measured zero, to which there is no ratio")
    ratio = ratio_estimate(base, head)
    worse, better = (ratio.low, ratio.high) if metric.better == "lower" else (1 / ratio.high, 1 / ratio.low)
    word = "regressed" if worse > 1 + noise else "improved" if better < 1 / (1 + noise) else "ok"
    return verdict(word, f"95% interval of the ratio against a noise threshold of {noise:.0%}", ratio)
