"""The paired test of the gate: pairs of runs in, a verdict a cell out.

Each metric of each cell has a p-value over the looks at its pairs, and Holm's correction keeps the chance of one false
alarm in the whole matrix below ``alpha``. A change smaller than the effect asked for is no regression, however certain.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import statistics

from loopstall.analysis.summary import stack_of, summarise
from loopstall.analysis.told import change, least
from loopstall.gate.certainty import SURE, better, new_trap, p_value, perhaps_worse, wide
from loopstall.gate.criteria import AVAILABILITY, CPU, TESTED, TIME, TRAP, Criteria
from loopstall.gate.evidence import PairedSample, failure, finding
from loopstall.gate.ruling import Ruling, decide
from loopstall.records import REGRESSION, STALL, Finding, Summary, Verdict
from loopstall.records.units import counted
from loopstall.stats.paired import holm

__all__ = ["judge"]


def judge(measured: Sequence[PairedSample], rules: Criteria) -> list[Verdict]:
    """Judges a matrix.

    Args:
        measured: every cell of it, with what was measured in the time there was.
        rules: thresholds and sample sizes.
    """
    looks = rules.looks(len(measured))
    p_values = holm([p_value(item, metric, rules, looks) for item in measured for metric in TESTED])
    verdicts: list[Verdict] = []
    for number, item in enumerate(measured):
        own = p_values[number * len(TESTED) : (number + 1) * len(TESTED)]
        case = _Case.of(item, rules, dict(zip(TESTED, own, strict=True)), len(measured))
        verdicts.append(_verdict(case))
    return verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A cell before its judge."""

    evidence: PairedSample
    rules: Criteria
    p_values: Mapping[str, float]
    findings: Mapping[str, Finding]
    heads: Summary
    cells: int

    @classmethod
    def of(cls, evidence: PairedSample, rules: Criteria, p_values: Mapping[str, float], cells: int) -> "_Case":
        budget, effect = rules.budget_of(evidence.cell), rules.effect_of(evidence.cell)
        found = (
            finding(evidence.pairs, metric, effect=effect, p=p_values.get(metric))
            for metric in (TIME, AVAILABILITY, CPU)
        )
        return cls(
            evidence=evidence,
            rules=rules,
            p_values=p_values,
            findings={item.metric: item for item in found if item is not None},
            heads=summarise(evidence.cell, evidence.heads, budget),
            cells=cells,
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


def _failed(case: _Case) -> Ruling | None:
    why = failure(case.evidence)
    return Ruling(verdict="failed", rule=why) if why else None


def _over_budget(case: _Case) -> Ruling | None:
    heads = case.heads
    if not (case.rules.limited and heads.trap):
        return None
    return Ruling(
        verdict="regressed",
        rule=f"over its budget: {heads.why} in {heads.broke} of {counted(heads.runs, 'run')}",
        kind=STALL,
    )


def _unmeasured(case: _Case) -> Ruling | None:
    done, wanted = len(case.evidence.pairs), case.rules.rounds
    if done >= wanted:
        return None
    return Ruling(
        verdict="inconclusive", rule=f"{done} of {counted(wanted, 'pair')} were measured in the available time"
    )


def _unconfirmed(case: _Case) -> Ruling | None:
    done = len(case.evidence.pairs)
    if not perhaps_worse(case.evidence, case.rules, case.cells):
        return None
    wanted = next(look.pairs for look in case.rules.looks(case.cells) if look.pairs > done)
    item = case.findings.get(TIME)
    looks = "is too noisy to tell" if item is not None and wide(item) else "looks worse"
    return Ruling(
        verdict="inconclusive",
        rule=f"it {looks}, and only {done} of {counted(wanted, 'pair')} were measured to settle it",
    )


def _new_trap(case: _Case) -> Ruling | None:
    heads = case.heads
    if not new_trap(case.evidence, case.rules) or case.p_values[TRAP] >= case.rules.alpha:
        return None
    why = f"{heads.why} in {heads.broke} of {counted(heads.runs, 'run')}"
    return Ruling(verdict="regressed", rule=f"a trap that the baseline does not have: {why}", kind=STALL)


def _slower(case: _Case) -> Ruling | None:
    item = case.findings.get(TIME)
    if item is None or not _confirmed(item, case):
        return None
    return Ruling(verdict="regressed", rule=f"{change(item)}, {_certainty(item, case)}", kind=REGRESSION)


def _stalled_more(case: _Case) -> Ruling | None:
    item = case.findings.get(AVAILABILITY)
    if item is None or not _confirmed(item, case):
        return None
    return Ruling(verdict="regressed", rule=f"{change(item)}, {_certainty(item, case)}", kind=STALL)


def _confirmed(item: Finding, case: _Case) -> bool:
    return item.p is not None and item.p < case.rules.alpha and item.change.value > item.effect


def _too_noisy(case: _Case) -> Ruling | None:
    item = case.findings.get(TIME)
    if item is None:
        return Ruling(verdict="inconclusive", rule="no job of it could be timed")
    if not wide(item):
        return None
    return Ruling(verdict="inconclusive", rule=f"the machine was too noisy to tell: {change(item)}")


def _improved(case: _Case) -> Ruling | None:
    item = case.findings.get(TIME)
    if item is None or not better(case.evidence, case.rules):
        return None
    said = f"{change(item)} over {counted(item.change.runs, 'pair')}"
    return Ruling(verdict="improved", rule=f"{said}, better by more than {item.effect:.1%} with {SURE:.0%} confidence")


def _unchanged(case: _Case) -> Ruling:
    item = case.findings[TIME]
    said = f"{change(item)} over {counted(item.change.runs, 'pair')}"
    again = "measured again, because it looked worse or was too noisy, and nothing was confirmed: "
    return Ruling(verdict="ok", rule=f"{again}{said}" if item.change.runs > case.rules.rounds else said)


_RULES: tuple[Callable[[_Case], Ruling | None], ...] = (
    _failed,
    _over_budget,
    _unmeasured,
    _new_trap,
    _slower,
    _stalled_more,
    _unconfirmed,
    _too_noisy,
    _improved,
    _unchanged,
)


def _certainty(item: Finding, case: _Case) -> str:
    return (
        f"over the threshold of {least(item)}; corrected p = {item.p:.1g} < {case.rules.alpha:g}"
        f" over {counted(item.change.runs, 'pair')}"
    )


def _amount(case: _Case, kind: str) -> float:
    if kind == STALL:
        good = [run.measured for run in case.evidence.heads if run.measured is not None]
        return statistics.median(measured.longest_own_stall_ns for measured in good)
    return case.findings[TIME].change.value if kind == REGRESSION else 0.0
