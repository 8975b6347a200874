"""The paired test of the gate: pairs of runs in, a verdict a cell out.

A few pairs screen every cell. Those that look worse, or too noisy to tell, are measured again, and these new pairs
alone decide: what made a cell look worse by chance is not held against it. They are looked at twice, when they are
there and, where that leaves it open, when as many again are: a p-value counts double for that. Holm's correction keeps
the chance of one false alarm in the whole matrix below ``alpha``, and a change smaller than the effect asked for is no
regression, however certain.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import statistics

from loopstall.analysis.summary import stack_of, summarise
from loopstall.gate.criteria import AVAILABILITY, CPU, LOOKS, TESTED, TIME, TRAP, Criteria
from loopstall.gate.evidence import PairedSample, differences, finding, trapped
from loopstall.gate.ruling import Ruling, decide
from loopstall.records import NOT_TRIED, REGRESSION, STALL, Finding, Summary, Verdict
from loopstall.records.units import format_ns
from loopstall.stats.paired import hodges_lehmann, holm, signed_rank_p

__all__ = ["judge", "suspicious", "undecided"]

_WIDE = 0.25
"""An interval that reaches this far to the worse side: the machine was too noisy for a verdict."""

_SURE = 0.99
"""The confidence of an improvement, which is not confirmed by more pairs."""


def suspicious(evidence: PairedSample, rules: Criteria) -> bool:
    """Returns whether a cell looks worse or too noisy after the screening and has to be measured again."""
    budget = rules.budget_of(evidence.cell)
    if _failure(evidence):
        return False
    if trapped([pair.head for pair in evidence.screened], budget) and not trapped(
        [pair.base for pair in evidence.screened], budget
    ):
        return True
    effect = rules.effect_of(evidence.cell)
    time = finding(evidence.screened, TIME, budget, effect=effect)
    half = effect / 2
    return (time is not None and _wide(time)) or any(
        bool(found) and hodges_lehmann(found).value > half
        for found in (differences(evidence.screened, metric, budget) for metric in (TIME, AVAILABILITY))
    )


def undecided(evidence: PairedSample, rules: Criteria, cells: int) -> bool:
    """Returns whether the confirming pairs leave the verdict open, so that more are worth measuring.

    Args:
        evidence: of a cell that was measured again.
        rules: thresholds and sample sizes.
        cells: of the whole matrix.
    """
    budget, needed = rules.budget_of(evidence.cell), rules.confirming(cells)
    time = finding(evidence.confirmed, TIME, budget, effect=rules.effect_of(evidence.cell))
    if time is not None and _wide(time):
        return True
    for metric in TESTED:
        found = differences(evidence.confirmed, metric, budget)
        least = 0.0 if metric == TRAP else rules.effect_of(evidence.cell)
        worse = bool(found) and hodges_lehmann(found).value > least
        if worse and _p_value(evidence, metric, rules, needed) * cells * len(TESTED) >= rules.alpha:
            return True
    return False


def _p_value(evidence: PairedSample, metric: str, rules: Criteria, needed: int) -> float:
    """Returns the least p of the looks at the pairs that were to confirm, times the number of looks."""
    found = differences(evidence.confirmed, metric, rules.budget_of(evidence.cell))
    if not found:
        return 1.0
    return min(1.0, LOOKS * min(signed_rank_p(found[:needed]), signed_rank_p(found)))


def judge(measured: Sequence[PairedSample], rules: Criteria) -> list[Verdict]:
    """Judges a matrix.

    Args:
        measured: every cell of it, with what was measured in the time there was.
        rules: thresholds and sample sizes.
    """
    needed = rules.confirming(len(measured))
    p_values = holm([_p_value(item, metric, rules, needed) for item in measured for metric in TESTED])
    verdicts: list[Verdict] = []
    for number, item in enumerate(measured):
        own = p_values[number * len(TESTED) : (number + 1) * len(TESTED)]
        verdicts.append(_verdict(_Case.of(item, rules, dict(zip(TESTED, own, strict=True)), needed)))
    return verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A cell before its judge."""

    evidence: PairedSample
    rules: Criteria
    effect: float
    p_values: Mapping[str, float]
    findings: Mapping[str, Finding]
    heads: Summary
    needed: int

    @classmethod
    def of(cls, evidence: PairedSample, rules: Criteria, p_values: Mapping[str, float], needed: int) -> "_Case":
        budget, effect = rules.budget_of(evidence.cell), rules.effect_of(evidence.cell)
        tested = bool(evidence.confirmed)
        found = (
            finding(evidence.deciding, metric, budget, effect=effect, p=p_values.get(metric) if tested else None)
            for metric in (TIME, AVAILABILITY, CPU)
        )
        return cls(
            evidence=evidence,
            rules=rules,
            effect=effect,
            p_values=p_values,
            findings={item.metric: item for item in found if item is not None},
            heads=summarise(evidence.cell, evidence.heads, budget),
            needed=needed,
        )


def _verdict(case: _Case) -> Verdict:
    ruling = decide(case, _RULES)
    culprit = case.heads.culprit if ruling.kind == STALL else None
    cell = case.evidence.cell
    return Verdict(
        row=cell.row,
        strategy=str(cell.strategy),
        workload=cell.workload,
        verdict=ruling.verdict,
        rule=ruling.rule,
        findings=tuple(case.findings.values()),
        pairs=len(case.evidence.heads),
        culprit=culprit,
        stack=stack_of(case.evidence.heads, culprit),
        kind=ruling.kind,
        amount=_amount(case, ruling.kind),
    )


def _failure(evidence: PairedSample) -> str:
    for side, runs in (("the baseline", evidence.bases), ("the candidate", evidence.heads)):
        for run in runs:
            if run.error is not None and run.error.kind != NOT_TRIED:
                return f"{side}: {run.error.message}"
    return ""


def _failed(case: _Case) -> Ruling | None:
    failure = _failure(case.evidence)
    return Ruling(verdict="failed", rule=failure) if failure else None


def _added(case: _Case) -> Ruling | None:
    """A workload that only the candidate can load is new."""
    if any(run.measured is not None for run in case.evidence.bases):
        return None
    base = next((run.error for run in case.evidence.bases if run.error is not None and run.error.kind == "input"), None)
    if base is None or any(run.error is not None and run.error.kind != NOT_TRIED for run in case.evidence.heads):
        return None
    return Ruling(verdict="added", rule=f"the baseline cannot load it: {base.message}")


def _over_budget(case: _Case) -> Ruling | None:
    heads = case.heads
    if not (case.rules.limited and heads.trap):
        return None
    return Ruling(
        verdict="regressed", rule=f"over its budget: {heads.why} in {heads.broke} of {heads.runs} runs", kind=STALL
    )


def _unmeasured(case: _Case) -> Ruling | None:
    done, wanted = len(case.evidence.screened), case.rules.rounds
    if done >= wanted:
        return None
    return Ruling(verdict="inconclusive", rule=f"{done} of {wanted} pairs were measured in the time there was")


def _unconfirmed(case: _Case) -> Ruling | None:
    done = len(case.evidence.confirmed)
    if done >= case.needed or not suspicious(case.evidence, case.rules):
        return None
    item = case.findings.get(TIME)
    looks = "is too noisy to tell" if item is not None and _wide(item) else "looks worse"
    return Ruling(
        verdict="inconclusive", rule=f"it {looks}, and only {done} of {case.needed} pairs were measured to settle it"
    )


def _new_trap(case: _Case) -> Ruling | None:
    heads, budget = case.heads, case.rules.budget_of(case.evidence.cell)
    if not heads.trap or trapped(case.evidence.bases, budget) or case.p_values[TRAP] >= case.rules.alpha:
        return None
    why = f"{heads.why} in {heads.broke} of {heads.runs} runs"
    return Ruling(verdict="regressed", rule=f"a trap that the baseline has not: {why}", kind=STALL)


def _slower(case: _Case) -> Ruling | None:
    item = case.findings.get(TIME)
    if item is None or not _confirmed(item, case):
        return None
    said = f"time per job rose from {format_ns(item.base)} to {format_ns(item.head)}, {_change(item)}"
    return Ruling(verdict="regressed", rule=f"{said}, {_certainty(item, case)}", kind=REGRESSION)


def _stalled_more(case: _Case) -> Ruling | None:
    item = case.findings.get(AVAILABILITY)
    if item is None or not _confirmed(item, case):
        return None
    said = f"loop availability fell from {item.base:.1%} to {item.head:.1%}, by {item.change.value:.1%} of the time"
    return Ruling(
        verdict="regressed",
        rule=f"{said} [{item.change.low:.1%}, {item.change.high:.1%}], {_certainty(item, case)}",
        kind=STALL,
    )


def _confirmed(item: Finding, case: _Case) -> bool:
    return item.p is not None and item.p < case.rules.alpha and item.change.value > item.effect


def _too_noisy(case: _Case) -> Ruling | None:
    item = case.findings.get(TIME)
    if item is None:
        return Ruling(verdict="inconclusive", rule="no job of it could be timed")
    if not _wide(item):
        return None
    return Ruling(verdict="inconclusive", rule=f"the machine was too noisy to tell: time per job {_change(item)}")


def _wide(item: Finding) -> bool:
    return item.change.low <= item.effect and item.change.high > max(_WIDE, item.effect)


def _improved(case: _Case) -> Ruling | None:
    evidence, effect = case.evidence, case.effect
    budget = case.rules.budget_of(evidence.cell)
    item = finding(evidence.screened, TIME, budget, effect=effect, confidence=_SURE)
    if item is None or evidence.confirmed or item.change.confidence < _SURE or item.change.high > -effect:
        return None
    return Ruling(verdict="improved", rule=f"time per job {_change(item)} with {item.change.confidence:.0%} confidence")


def _unchanged(case: _Case) -> Ruling:
    item = case.findings[TIME]
    said = f"time per job {_change(item)} over {item.change.runs} pairs"
    again = "measured again, because it looked worse or was too noisy, and nothing was confirmed: "
    return Ruling(verdict="ok", rule=f"{again}{said}" if case.evidence.confirmed else said)


_RULES: tuple[Callable[[_Case], Ruling | None], ...] = (
    _added,
    _failed,
    _over_budget,
    _unmeasured,
    _unconfirmed,
    _new_trap,
    _slower,
    _stalled_more,
    _too_noisy,
    _improved,
    _unchanged,
)


def _change(item: Finding) -> str:
    change = item.change
    return f"{change.value:+.1%} [{change.low:+.1%}, {change.high:+.1%}]"


def _certainty(item: Finding, case: _Case) -> str:
    return (
        f"over the threshold of {item.effect:.1%}; corrected p = {item.p:.1g} < {case.rules.alpha:g}"
        f" over {item.change.runs} pairs"
    )


def _amount(case: _Case, kind: str) -> float:
    if kind == STALL:
        good = [run.measured for run in case.evidence.heads if run.measured is not None]
        return statistics.median(measured.longest_own_stall_ns for measured in good)
    return case.findings[TIME].change.value if kind == REGRESSION else 0.0
