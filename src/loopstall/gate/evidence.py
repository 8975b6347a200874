"""The pairs of a cell that two sides have run, and the figure that each pair stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
import statistics

from loopstall.analysis.summary import Budget, breach
from loopstall.gate.criteria import AVAILABILITY, LONGEST, STEADY, TIME, TRAP
from loopstall.records import NOT_TRIED, Burst, Cell, Estimate, Finding, Measured, Pair, Run
from loopstall.stats.paired import hodges_lehmann

__all__ = ["PairedSample", "differences", "failure", "finding", "trapped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedSample:
    """The pairs of a cell, in the order in which they were measured."""

    cell: Cell
    pairs: tuple[Pair, ...] = ()

    @property
    def bases(self) -> tuple[Run, ...]:
        """The baseline's runs."""
        return tuple(pair.base for pair in self.pairs)

    @property
    def heads(self) -> tuple[Run, ...]:
        """The candidate's runs."""
        return tuple(pair.head for pair in self.pairs)


def differences(pairs: Sequence[Pair], metric: str, budget: Budget | None = None) -> list[float]:
    """Returns one figure a pair, positive where the candidate is worse.

    Of times, the median over the pair's bursts of the logarithm of candidate / baseline, each burst by the one beside
    it; of availability, the share of time that the candidate's loop was stalled more; of traps, 1 where the candidate
    alone broke the budget, -1 where the baseline alone did; of stalls, the logarithm of what half as many of the
    candidate's reach as it had bursts / the baseline's longest, one below the threshold counting as that long. A steady
    loss is one of availability without the candidate's longest stall. A pair without the figure is left out.

    Args:
        pairs: of a cell.
        metric: the figure.
        budget: of the cell, of which traps alone ask; the default one for None.
    """
    good = [
        (pair.base.measured, pair.head.measured)
        for pair in pairs
        if pair.base.measured is not None and pair.head.measured is not None
    ]
    if metric == AVAILABILITY:
        return [base.own_availability - head.own_availability for base, head in good]
    if metric == STEADY:
        return [
            base.own_availability - min(1.0, head.own_availability + head.longest_own_stall_ns / head.wall_ns)
            for base, head in good
        ]
    if metric == LONGEST:
        return [_longest(head, often=math.ceil(len(head.bursts) / 2) or 1) - _longest(base) for base, head in good]
    if metric == TRAP:
        limits = budget or Budget()
        return [float(bool(breach(head, limits))) - float(bool(breach(base, limits))) for base, head in good]
    found: list[float] = []
    for base, head in good:
        both = [(_figure(b, metric), _figure(h, metric)) for b, h in zip(base.bursts, head.bursts, strict=False)]
        ratios = [math.log(h / b) for b, h in both if b > 0 and h > 0]
        if ratios:
            found.append(statistics.median(ratios))
    return found


def failure(evidence: PairedSample) -> str:
    """Returns what failed on which side, the first failure of a cell; "" where nothing did."""
    for side, runs in (("the baseline", evidence.bases), ("the candidate", evidence.heads)):
        for run in runs:
            if run.error is not None and run.error.kind != NOT_TRIED:
                return f"{side}: {run.error.message}"
    return ""


def trapped(runs: Sequence[Run], budget: Budget) -> bool:
    """Returns whether more than half of the runs break the budget."""
    good = [run.measured for run in runs if run.measured is not None]
    return 2 * sum(bool(breach(measured, budget)) for measured in good) > len(good)


def finding(
    pairs: Sequence[Pair],
    metric: str,
    *,
    effect: float,
    p: float | None = None,
    confidence: float = 0.95,
) -> Finding | None:
    """Sums one metric of the pairs up; None where no pair has it.

    Args:
        pairs: those that count.
        metric: one that is a time or a share.
        effect: the least change that counts.
        p: of the test, corrected.
        confidence: of the interval.
    """
    found = differences(pairs, metric)
    if not found:
        return None
    change = hodges_lehmann(found, confidence=confidence)
    base, head = (
        statistics.median(
            _value(run.measured, metric)
            for run in runs
            if run.measured is not None and (metric == AVAILABILITY or run.measured.bursts)
        )
        for runs in ([pair.base for pair in pairs], [pair.head for pair in pairs])
    )
    return Finding(
        metric=metric,
        base=base,
        head=head,
        change=change if metric == AVAILABILITY else _relative(change),
        effect=effect,
        p=p,
    )


def _longest(measured: Measured, *, often: int = 1) -> float:
    """Returns the logarithm of the longest stall that so many reach; of the threshold where there are fewer."""
    lengths = sorted((stall.duration_ns for stall in measured.own_stalls), reverse=True)
    return math.log(max(lengths[often - 1] if len(lengths) >= often else 0, measured.threshold_ns))


def _figure(burst: Burst, metric: str) -> float:
    return (burst.wall_ns if metric == TIME else burst.cpu_ns) / burst.jobs


def _value(measured: Measured, metric: str) -> float:
    if metric == AVAILABILITY:
        return measured.own_availability
    return statistics.median(_figure(burst, metric) for burst in measured.bursts)


def _relative(change: Estimate) -> Estimate:
    """Turns a difference of logarithms into a relative change."""
    return Estimate(
        value=math.expm1(change.value),
        low=math.expm1(change.low),
        high=math.expm1(change.high),
        confidence=change.confidence,
        runs=change.runs,
    )
