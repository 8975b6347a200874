"""The gate's verdicts where a side is a stored result: two sides that were measured apart, one after the other.

They say less than pairs do: a drift of the machine between the two looks like a change of the program. So the least
change that counts is wider, and widest where the control cells, whose work is the same on both sides, differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loopstall.analysis.compare import NOISE_THRESHOLD, Figures, compare, differing, finding_of, noise_of_controls
from loopstall.analysis.summary import stack_of, summarise
from loopstall.analysis.told import change, least
from loopstall.gate.criteria import AVAILABILITY, TIME, Criteria
from loopstall.gate.ruling import Ruling, decide
from loopstall.records import (
    REGRESSION,
    STALL,
    Comparison,
    Environment,
    Summary,
    Verdict,
)
from loopstall.records.units import counted

__all__ = ["Noise", "judge_apart", "noise_between"]

_MARGIN = 2.0
"""The factor on the control cells' difference: that is one draw of the noise, and others may be twice as large."""

_CAVEAT = "measured apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The thresholds of a change between two sides, with their reasons in sentences."""

    threshold: float
    notes: tuple[str, ...]


def noise_between(
    base: Sequence[Figures],
    head: Sequence[Figures],
    machines: tuple[Environment | None, Environment | None],
    *,
    least: float = NOISE_THRESHOLD,
) -> Noise:
    """Finds the change from which two sides that were measured apart differ.

    Args:
        base: the cells of the one side.
        head: those of the other.
        machines: the machine of each side, where it is known.
        least: the threshold where the control cells do not widen it.
    """
    controls = noise_of_controls(base, head)
    threshold = max(least, _MARGIN * controls)
    caveat = (
        f"Measured one side after the other: a change under {threshold:.0%} is noise, and a drift of the machine"
        " can look like a change; loopstall gate with a revision or a folder alternates between the sides."
    )
    notes = [caveat]
    if threshold > least:
        notes.append(f"The control cells, whose work is the same, differ by {controls:.0%}: the threshold is raised.")
    different = differing(*machines)
    if different:
        notes.append(f"The machines differ: {', '.join(different)}; a change may come from them.")
    return Noise(threshold=threshold, notes=tuple(notes))


def judge_apart(base: Sequence[Figures], head: Sequence[Figures], rules: Criteria, noise: float) -> list[Verdict]:
    """Judges every cell of two sides that were measured apart.

    Args:
        base: the cells of the one side.
        head: those of the other.
        rules: least effects and budgets.
        noise: the least change that counts for any workload: relative, of availability in points.
    """
    sides = [{item.key: item for item in side} for side in (base, head)]
    return [
        _judge(_Case.of(sides[0].get(key), sides[1].get(key), rules, noise))
        for key in dict.fromkeys([*sides[0], *sides[1]])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A cell as the rules see it: its comparisons by metric, and the summary of each side."""

    item: Figures
    compared: Mapping[str, Comparison]
    threshold: float
    base: Summary | None
    head: Summary | None
    limited: bool

    @classmethod
    def of(cls, base: Figures | None, head: Figures | None, rules: Criteria, noise: float) -> "_Case":
        item = head or base
        assert item is not None  # every key is of a side
        threshold = max(noise, rules.effect_of(item.cell) if item.cell is not None else rules.effect)
        compared = compare([base] if base else [], [head] if head else [], noise=threshold)
        return cls(
            item=item,
            compared={one.metric: one for one in compared},
            threshold=threshold,
            base=_summary(base, rules),
            head=_summary(head, rules),
            limited=rules.limited,
        )


def _summary(side: Figures | None, rules: Criteria) -> Summary | None:
    if side is None or side.cell is None:
        return None
    return summarise(side.cell, side.runs, rules.budget_of(side.cell))


def _judge(case: _Case) -> Verdict:
    ruling = decide(case, _RULES)
    culprit = case.head.culprit if case.head is not None and ruling.kind == STALL else None
    return Verdict(
        row=case.item.row,
        strategy=case.item.strategy,
        workload=case.item.cell.workload if case.item.cell is not None else None,
        verdict=ruling.verdict,
        rule=f"{ruling.rule}; {_CAVEAT}",
        findings=tuple(filter(None, (finding_of(one, case.threshold) for one in case.compared.values()))),
        culprit=culprit,
        stack=stack_of(case.item.runs, culprit),
        kind=ruling.kind,
        amount=_amount(case, ruling.kind),
    )


def _whole(case: _Case) -> Ruling | None:
    """Decides about cells that a side lacks or that hold a failure."""
    one = case.compared.get("")
    return Ruling(verdict=one.verdict, rule=one.rule) if one is not None else None


def _trap(case: _Case) -> Ruling | None:
    head, base = case.head, case.base
    if head is None or not head.trap:
        return None
    why = f"{head.why} in {head.broke} of {counted(head.runs, 'run')}"
    if case.limited:
        return Ruling(verdict="regressed", rule=f"over its budget: {why}", kind=STALL)
    if base is None or base.trap:
        return None
    return Ruling(verdict="regressed", rule=f"a trap that the baseline does not have: {why}", kind=STALL)


def _worse(case: _Case) -> Ruling | None:
    for metric, kind in ((TIME, REGRESSION), (AVAILABILITY, STALL)):
        one = case.compared.get(metric)
        found = finding_of(one, case.threshold) if one is not None and one.verdict == "regressed" else None
        if found is not None:
            rule = f"{change(found)}, beyond the threshold of {least(found)}"
            return Ruling(verdict="regressed", rule=rule, kind=kind)
    return None


def _undecided(case: _Case) -> Ruling | None:
    if TIME not in case.compared:
        return Ruling(verdict="inconclusive", rule="neither side has a time per job")
    judged = [case.compared[metric] for metric in (TIME, AVAILABILITY) if metric in case.compared]
    undecided = [one for one in judged if one.verdict == "inconclusive"]
    return Ruling(verdict="inconclusive", rule=undecided[0].rule) if undecided else None


def _rest(case: _Case) -> Ruling:
    one = case.compared[TIME]
    return Ruling(verdict=one.verdict, rule=_told(one, case))


_RULES: tuple[Callable[[_Case], Ruling | None], ...] = (_whole, _trap, _worse, _undecided, _rest)


def _told(one: Comparison, case: _Case) -> str:
    found = finding_of(one, case.threshold)
    return change(found) if found is not None else one.rule


def _amount(case: _Case, kind: str) -> float:
    if kind == STALL and case.head is not None and case.head.runs:
        return case.head["longest_stall"].value
    one = case.compared.get(TIME)
    return one.ratio.value - 1 if kind == REGRESSION and one is not None and one.ratio is not None else 0.0
