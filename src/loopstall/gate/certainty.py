"""The state of a cell between its pairs: whether more are worth measuring, and how certain it is that it got worse.

Every cell is looked at when it has been screened. One that looks worse, or too noisy to tell, is measured on, and
looked at again and again, until it is certain or no longer looks worse. Each look spends its share of ``alpha``.
"""

from collections.abc import Sequence
import math

from loopstall.gate.criteria import AVAILABILITY, LONGEST, STEADY, TESTED, TIME, TRAP, Criteria, Look
from loopstall.gate.evidence import PairedSample, differences, failure, finding, trapped
from loopstall.records import Finding
from loopstall.stats.paired import hodges_lehmann, signed_rank_p
from loopstall.stats.sequential import student_p

__all__ = ["SURE", "better", "new_trap", "p_value", "perhaps_worse", "undecided", "urgency", "wide"]

_WIDE = 0.25
"""An interval that reaches this far to the worse side: the machine was too noisy for a verdict."""

SURE = 0.99
"""The confidence of an improvement, for which nothing fails, so that it is not corrected for the other tests."""

_MUCH = 0.05
"""An estimate better by this much is worth a second look where the screening is not sure of it."""

_LEAST_SPREAD = 0.005
"""The least standard deviation over pairs that Student's test believes, half a percent of a time: a few pairs agree
better than that by chance alone."""

_LONGER = math.log(2)
"""The least growth of stalls, as a logarithm, that makes a new trap by few pairs: what was near the budget before does
not grow by so much. Those of every other burst are compared: one a process can be there by chance."""

_EARLY = {AVAILABILITY: STEADY, TRAP: LONGEST}
"""The figures that Student's test takes in place of a metric, by few pairs: none that one stall a process can make."""


def undecided(evidence: PairedSample, rules: Criteria, cells: int) -> bool:
    """Returns whether the pairs of a cell leave its verdict open, so that more are worth measuring.

    Args:
        evidence: of a cell, with all pairs of one of its looks.
        rules: thresholds and sample sizes.
        cells: of the whole matrix.
    """
    return perhaps_worse(evidence, rules, cells) or _perhaps_better(evidence, rules)


def urgency(evidence: PairedSample, rules: Criteria) -> float:
    """Returns how urgent it is to measure a cell on, the least first: 0 for a new trap, else the p of its time."""
    if new_trap(evidence, rules):
        return 0.0
    return student_p(differences(evidence.pairs, TIME), least_spread=_LEAST_SPREAD)


def perhaps_worse(evidence: PairedSample, rules: Criteria, cells: int) -> bool:
    """Returns whether a cell looks worse or too noisy to tell, while a look is to come at which it can be certain.

    Args:
        evidence: of a cell.
        rules: thresholds and sample sizes.
        cells: of the whole matrix.
    """
    looks = rules.looks(cells)
    done = len(evidence.pairs)
    if failure(evidence) or done >= looks[-1].pairs or _certainly_worse(evidence, rules, cells):
        return False
    effect = rules.effect_of(evidence.cell)
    worth = effect / 2 if done <= 2 * rules.rounds else effect
    least = {TIME: worth, AVAILABILITY: worth, TRAP: 0.0}
    time = finding(evidence.pairs, TIME, effect=effect)
    return any(_stands_out(evidence, metric, rules, least[metric]) for metric in TESTED) or (
        time is not None and wide(time)
    )


def _stands_out(evidence: PairedSample, metric: str, rules: Criteria, least: float) -> bool:
    found = differences(evidence.pairs, metric, rules.budget_of(evidence.cell))
    if not found or hodges_lehmann(found).value <= least:
        return False
    return metric == TRAP or len(found) == 1 or student_p(found) < rules.doubt


def _certainly_worse(evidence: PairedSample, rules: Criteria, cells: int) -> bool:
    looks, effect = rules.looks(cells), rules.effect_of(evidence.cell)
    return any(
        p_value(evidence, metric, rules, looks) * cells * len(TESTED) < rules.alpha
        and (new_trap(evidence, rules) if metric == TRAP else _centre(evidence, metric) > effect)
        for metric in TESTED
    )


def _perhaps_better(evidence: PairedSample, rules: Criteria) -> bool:
    """Returns whether a cell looks much better after its screening, which was not enough to be sure of it."""
    effect = rules.effect_of(evidence.cell)
    if len(evidence.pairs) >= 2 * rules.rounds or failure(evidence):
        return False
    return _centre(evidence, TIME) < -max(_MUCH, effect) and not better(evidence, rules)


def _centre(evidence: PairedSample, metric: str) -> float:
    """Returns the estimate of a metric's difference, 0 where no pair has it; not of traps."""
    found = differences(evidence.pairs, metric)
    return hodges_lehmann(found).value if found else 0.0


def p_value(evidence: PairedSample, metric: str, rules: Criteria, looks: Sequence[Look]) -> float:
    """Returns the least p of the looks whose pairs are there, each by the share of alpha that it may spend."""
    effect = rules.effect_of(evidence.cell)
    found = differences(evidence.pairs, metric, rules.budget_of(evidence.cell))
    margin = {TIME: math.log1p(effect), AVAILABILITY: effect, TRAP: _LONGER}[metric]
    early = differences(evidence.pairs, _EARLY.get(metric, metric))
    least = 1.0
    for look in looks:
        if look.pairs > len(found):
            break
        if look.by_ranks:
            p = signed_rank_p(found[: look.pairs])
        else:
            p = student_p(early[: look.pairs], margin=margin, least_spread=_LEAST_SPREAD)
        least = min(least, p / look.share)
    return least


def new_trap(evidence: PairedSample, rules: Criteria) -> bool:
    """Returns whether the candidate is a trap and the baseline none."""
    budget = rules.budget_of(evidence.cell)
    return trapped(evidence.heads, budget) and not trapped(evidence.bases, budget)


def better(evidence: PairedSample, rules: Criteria) -> bool:
    """Returns whether the time per job is surely less by more than the least effect.

    By ranks where there are pairs enough for that confidence, else by Student's test, as a regression is.
    """
    effect = rules.effect_of(evidence.cell)
    found = differences(evidence.pairs, TIME)
    if not found:
        return False
    margin = -math.log1p(-min(effect, 0.99))
    change = hodges_lehmann(found, confidence=SURE)
    if change.confidence >= SURE:
        return change.high < -margin
    better = [-value for value in found]
    return student_p(better, margin=margin, least_spread=_LEAST_SPREAD) < (1 - SURE) / 2


def wide(item: Finding) -> bool:
    """Returns whether an interval is too wide to tell whether a metric got worse."""
    return item.change.low <= item.effect and item.change.high > max(_WIDE, item.effect)
