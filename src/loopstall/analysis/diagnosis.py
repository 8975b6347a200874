"""Findings: rules over the summaries of a matrix, in the manner of Clinic.js Doctor."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from loopstall.analysis.contrasts import LEAST, contrasted
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.rules import RULES, Rule, rule_named, rule_of
from loopstall.analysis.summary import Budgets
from loopstall.records import DESCHEDULED, Cell, Estimate, Frame, Run, Summary
from loopstall.records.units import counted, format_ns, format_value

__all__ = ["Diagnosis", "diagnose", "interval"]


_QUEUED = 2.0  # response time over service time from which jobs wait longer than they take
_DEARER = 1.1  # time per job over that on the loop
_NOISE = 0.02  # of the wall time
_RUN = "loopstall run {workload}"
_CONFIDENT = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A finding: the rule, the measured value and its threshold, and the cell; ``weight`` sorts the worst first."""

    rule: Rule
    weight: tuple[float, float]
    measured: str
    threshold: str
    cell: Cell | None = None
    culprit: Frame | None = None
    better: str = ""
    command: str = ""
    others: tuple[Cell, ...] = ()
    """Further cells of the same row that the finding holds for, less badly."""


def diagnose(summaries: Sequence[Summary], samples: Mapping[Cell, Sequence[Run]], budgets: Budgets) -> list[Diagnosis]:
    """Applies the rules.

    Args:
        summaries: of a matrix.
        samples: the runs of each cell.
        budgets: the limits beyond which a cell is a trap.

    Returns:
        What was found, the worst first; ``clean`` alone where no loop was blocked.
    """
    found = [
        *_failed(summaries),
        *_traps(summaries, samples, budgets),
        *_saturated(summaries),
        *_overhead(summaries),
        *_contrasts(summaries, samples),
        *_noisy(samples),
        *_insufficient(summaries),
    ]
    measured = [item for item in summaries if item.runs]
    if measured and not any(item.trap or item.error is not None for item in summaries):
        longest = max(item["longest_stall"].value for item in measured)
        found.append(
            Diagnosis(
                rule=RULES["clean"],
                weight=(6, 0),
                measured=f"the longest stall of {counted(len(measured), 'cell')} was {format_ns(longest)}"
                if longest
                else "no stall was seen",
                threshold=f"budget {format_ns(budgets.common.stall_ns)}",
                command=RULES["clean"].command,
            )
        )
    return _merged(sorted(found, key=lambda item: item.weight))


def _merged(ordered: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Puts what is said of cells of one row by one rule together, the worst of them in front."""
    merged: dict[tuple[str, str], Diagnosis] = {}
    for number, item in enumerate(ordered):
        row = item.cell.row if item.cell is not None and item.rule.name != "failed" else f"\0{number}"
        key = (item.rule.name, row)
        first = merged.get(key)
        merged[key] = item if first is None or item.cell is None else replace(first, others=(*first.others, item.cell))
    return list(merged.values())


def interval(estimate: Estimate, unit: str) -> str:
    """Writes an estimate with its interval."""
    low, high = format_value(estimate.low, unit), format_value(estimate.high, unit)
    return f"{format_value(estimate.value, unit)} [{low} to {high}]"


def _command(rule: Rule, cell: Cell) -> str:
    strategy, told = cell.strategy, rule.command
    if cell.load.heavy is not None and told.startswith(_RUN):
        told = told.replace(_RUN, "loopstall serve-bench", 1).replace("-s ", "")
    return told.format(workload=cell.workload.name, loop=strategy.loop, dispatch=strategy.way, folder="…")


def _failed(summaries: Sequence[Summary]) -> Iterator[Diagnosis]:
    rule = RULES["failed"]
    for item in summaries:
        if item.error is not None:
            yield Diagnosis(rule=rule, weight=(0, 0), measured=item.error.message, threshold="no failure",
                            cell=item.cell, command=_command(rule, item.cell))  # fmt: skip


def _traps(
    summaries: Sequence[Summary], samples: Mapping[Cell, Sequence[Run]], budgets: Budgets
) -> Iterator[Diagnosis]:
    rows: dict[str, list[Summary]] = {}
    for item in summaries:
        rows.setdefault(item.cell.row, []).append(item)
    for item in summaries:
        if not item.trap:
            continue
        cause = _main_cause(samples[item.cell])
        gil = _had_gil(samples[item.cell])
        served = item.cell.load.heavy is not None and cause == "unknown"
        rule = rule_named("server-busy", gil=gil) if served else rule_of(cause, gil=gil)
        stall, available, budget = item["longest_stall"], item["availability"], budgets.of(item.cell)
        yield Diagnosis(
            rule=rule,
            weight=(1 if not item.cell.control else 1.5, -stall.value),
            measured=f"longest stall {interval(stall, 'ns')}, loop availability {available.value:.0%}"
            f" in {item.broke} of {counted(item.runs, 'run')}",
            threshold=f"stall {format_ns(budget.stall_ns)}, availability {budget.availability:.0%}",
            cell=item.cell,
            culprit=_holder(samples[item.cell]) if rule.name == "gil-contention" else item.culprit,
            better=_better(item, rows[item.cell.row]),
            command=_command(rule, item.cell),
        )


def _had_gil(runs: Sequence[Run]) -> bool:
    """Returns whether the Python of any run had a GIL; older results do not record it and had one."""
    return not runs or any(run.environment is None or run.environment.gil for run in runs)


def _main_cause(runs: Sequence[Run]) -> str:
    """Returns the cause to which most stalled time is put down, the machine's own apart."""
    spent: Counter[str] = Counter()
    for run in runs:
        for stall in run.measured.own_stalls if run.measured is not None else ():
            spent[stall.cause] += stall.duration_ns
    return spent.most_common(1)[0][0] if spent else ""


def _holder(runs: Sequence[Run]) -> Frame | None:
    """Returns the line that held the GIL for most of the stalled time."""
    spent: Counter[Frame] = Counter()
    for run in runs:
        for stall in run.measured.own_stalls if run.measured is not None else ():
            if stall.holder is not None:
                spent[stall.holder] += stall.duration_ns
    return spent.most_common(1)[0][0] if spent else None


def _better(item: Summary, row: Sequence[Summary]) -> str:
    """Names a strategy of the same row that does the work and is no trap.

    The one with the best throughput, or, under an open load, where that is the rate, with the least lag.
    """
    others = [other for other in row if other.runs and not other.trap and other.error is None]
    if not others:
        return ""
    if item.cell.load.rate is not None:
        best = min(others, key=lambda other: other["lag_p99"].value)
        return f"{best.cell.strategy} does the same here with a p99 loop lag of {format_ns(best['lag_p99'].value)}"
    best = max(others, key=lambda other: other["throughput"].value)
    ratio = best["throughput"].value / item["throughput"].value
    return (
        f"{best.cell.strategy} does the same here at {format_value(best['throughput'].value, '1/s')} ({ratio:.2g} times"
        f" as many) with a p99 loop lag of {format_ns(best['lag_p99'].value)}"
    )


def _saturated(summaries: Sequence[Summary]) -> Iterator[Diagnosis]:
    rule = RULES["pool-saturated"]
    for item in summaries:
        if not item.runs or item.cell.strategy.on_loop or item.cell.load.rate is None:
            continue
        response, service = item["response_p50"], item["service_p50"]
        if service.value > 0 and response.low > _QUEUED * service.value:
            yield Diagnosis(
                rule=rule,
                weight=(2, -response.value / service.value),
                measured=f"response time {interval(response, 'ns')} for {format_ns(service.value)} of service",
                threshold=f"{_QUEUED:g} times the service time",
                cell=item.cell,
                command=_command(rule, item.cell),
            )


def _overhead(summaries: Sequence[Summary]) -> Iterator[Diagnosis]:
    rule = RULES["offload-overhead"]
    inline = {
        (item.cell.row, item.cell.strategy.loop): item for item in summaries if item.runs and item.cell.strategy.inline
    }
    for item in summaries:
        on_loop = inline.get((item.cell.row, item.cell.strategy.loop))
        if on_loop is None or not item.runs or item.cell.strategy.on_loop:
            continue
        if on_loop.trap or on_loop["longest_stall"].value > 0:
            continue
        here, there = on_loop["time_per_job"], item["time_per_job"]
        if there.low > here.high and there.value > _DEARER * here.value:
            yield Diagnosis(
                rule=rule,
                weight=(3, -there.value / here.value),
                measured=f"time per job {interval(there, 'ns')}, {there.value / here.value:.2g} times the"
                f" {format_ns(here.value)} on the loop",
                threshold=f"{_DEARER:g} times",
                cell=item.cell,
                command=_command(rule, item.cell),
            )


def _contrasts(summaries: Sequence[Summary], samples: Mapping[Cell, Sequence[Run]]) -> Iterator[Diagnosis]:
    for contrast, trap, cure, theirs, ours in contrasted(summaries):
        metric = METRICS[contrast.figure]
        yield Diagnosis(
            rule=rule_named(contrast.rule, gil=_had_gil(samples[trap.cell])),
            weight=(2.5, -theirs.value / ours.value),
            measured=f"{metric.label} {interval(theirs, metric.unit)}, {theirs.value / ours.value:.2g} times that of"
            f" {cure.cell.row}, {format_value(ours.value, metric.unit)}",
            threshold=f"{LEAST:g} times",
            cell=trap.cell,
            command=_command(RULES[contrast.rule], trap.cell),
        )


def _noisy(samples: Mapping[Cell, Sequence[Run]]) -> Iterator[Diagnosis]:
    measured = [run.measured for runs in samples.values() for run in runs if run.measured is not None]
    wall_ns = sum(item.wall_ns for item in measured)
    lost_ns = sum(item.descheduled_ns for item in measured)
    if wall_ns and lost_ns > _NOISE * wall_ns:
        stalls = sum(stall.cause == DESCHEDULED for item in measured for stall in item.stalls)
        yield Diagnosis(
            rule=RULES["noisy-machine"],
            weight=(4, -lost_ns / wall_ns),
            measured=f"{counted(stalls, 'stall')} in which the loop's thread was preempted, {lost_ns / wall_ns:.1%} of"
            " the time",
            threshold=f"{_NOISE:.0%} of the time",
        )


def _insufficient(summaries: Sequence[Summary]) -> Iterator[Diagnosis]:
    rule = RULES["insufficient-data"]
    few = [item for item in summaries if item.runs and item["throughput"].confidence < _CONFIDENT]
    if not few:
        return
    least = min(few, key=lambda item: item.runs)
    confidence = least["throughput"].confidence
    yield Diagnosis(
        rule=rule,
        weight=(5, 0),
        measured=f"{counted(len(few), 'cell')} with few runs, {least.runs} at least:"
        f" their intervals have a confidence of {confidence:.0%}",
        threshold=f"{_CONFIDENT:.0%}, from 5 runs",
        command=rule.command,
    )
