"""Findings: rules over the summaries of a matrix, in the manner of Clinic.js Doctor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import shlex

from loopstall.analysis.blocked import Blocked, of_stalls
from loopstall.analysis.contrasts import LEAST, contrasted
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.recommend import LOSS, alternative, recommended
from loopstall.analysis.rules import RULES, Rule, rule_named, rule_of
from loopstall.analysis.summary import Budgets
from loopstall.records import DESCHEDULED, Cell, Estimate, Frame, Run, Summary
from loopstall.records.units import counted, format_ns, format_value

__all__ = ["Diagnosis", "diagnose", "interval", "measure_again"]


_QUEUED = 2.0  # response time over service time from which jobs wait longer than they take
_DEARER = 1.1  # time per job over that on the loop
_NOISE = 0.02  # of the wall time
_RUN = "loopstall run {workload}"
_CONFIDENT = 0.9
_FELT = 0.01  # of the throughput, from which a loss is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A finding: the rule, the measured value and its threshold, and the cell; ``weight`` sorts the worst first.

    Of a trap, ``blocked`` is what its stalls have in common, ``recommended`` the cell of its row to take instead, of
    which ``better`` says what it does and ``price`` what it costs in throughput, "" where that is little, and
    ``alternative`` which one has far less lag and what that costs.
    """

    rule: Rule
    weight: tuple[float, float]
    measured: str
    threshold: str
    cell: Cell | None = None
    culprit: Frame | None = None
    better: str = ""
    price: str = ""
    alternative: str = ""
    command: str = ""
    blocked: Blocked | None = None
    recommended: Cell | None = None
    others: tuple[Cell, ...] = ()
    """Further cells of the same row that the finding holds for, less badly."""

    @property
    def advice(self) -> str:
        """The advice: what was measured goes before what is usual for the cause."""
        return f"Use {self.recommended.strategy}{self.price}." if self.recommended is not None else self.rule.advice


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
    return told.format(workload=_named(cell), loop=strategy.loop, dispatch=strategy.dispatch, folder="…")


def _named(cell: Cell) -> str:
    """Writes a workload as the command line finds it: by its name, or by its file where that lies elsewhere."""
    path = Path(cell.workload.path)
    return shlex.quote(cell.workload.name if path.parent.name == "workloads" or not path.suffix else str(path))


def measure_again(cell: Cell, *others: Cell) -> str:
    """Writes the command that measures a cell, and others of its row beside it."""
    strategies = [shlex.quote(str(item.strategy)) for item in (cell, *others)]
    if cell.load.heavy is not None:
        return f"loopstall serve-bench {' '.join(strategies)}"
    params = [f"-p {shlex.quote(f'{name}={value}')}" for name, value in cell.params]
    return " ".join(["loopstall run", _named(cell), *params, *(f"-s {name}" for name in strategies)])


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
        gil, seen = _had_gil(samples[item.cell]), _blocked(samples[item.cell])
        served = item.cell.load.heavy is not None and seen.cause == "unknown"
        rule = rule_named("server-busy", gil=gil) if served else rule_of(seen.cause, gil=gil)
        stall, available, budget = item["longest_stall"], item["availability"], budgets.of(item.cell)
        best = recommended(rows[item.cell.row], loop=item.cell.strategy.loop)
        yield Diagnosis(
            rule=rule,
            weight=(1 if not item.cell.control else 1.5, -stall.value),
            measured=f"longest stall {interval(stall, 'ns')}, loop availability {available.value:.0%}"
            f" in {item.broke} of {counted(item.runs, 'run')}",
            threshold=f"stall {format_ns(budget.stall_ns)}, availability {budget.availability:.0%}",
            cell=item.cell,
            culprit=seen.frame,
            blocked=seen,
            recommended=best.cell if best is not None else None,
            better=_better(item, best) if best is not None else "",
            price=_price(item, best) if best is not None else "",
            alternative=_alternative(best, rows[item.cell.row], item.cell.strategy.loop) if best is not None else "",
            command=measure_again(item.cell, best.cell) if best is not None else _command(rule, item.cell),
        )


def _had_gil(runs: Sequence[Run]) -> bool:
    """Returns whether the Python of any run had a GIL; older results do not record it and had one."""
    return not runs or any(run.environment is None or run.environment.gil for run in runs)


def _blocked(runs: Sequence[Run]) -> Blocked:
    """Puts the stalls of a cell's runs together, those left out that the machine made; all of them are counted."""
    good = [run.measured for run in runs if run.measured is not None]
    seen = of_stalls(stall for measured in good for stall in measured.own_stalls)
    machine = sum(len(measured.stalls) - len(measured.own_stalls) for measured in good)
    return replace(
        seen,
        count=sum(measured.stall_count for measured in good) - machine,
        total_ns=sum(max(0, measured.stalled_ns - measured.descheduled_ns) for measured in good),
    )


def _better(item: Summary, best: Summary) -> str:
    """Says what the recommended strategy does."""
    said = f"{best.cell.strategy} does the same here"
    lag = f"with a p99 loop lag of {format_ns(best['lag_p99'].value)}"
    if item.cell.load.rate is not None:
        return f"{said} {lag}"
    there = best["throughput"].value
    return f"{said} at {format_value(there, '1/s')} ({there / item['throughput'].value:.2g} times as many) {lag}"


def _price(item: Summary, best: Summary) -> str:
    """Says what the recommended strategy costs in throughput beside the trap, "" where that is little or not known."""
    loss = 1 - best["throughput"].value / item["throughput"].value if item["throughput"].value else 0.0
    if item.cell.load.rate is not None or loss <= LOSS:  # an open load has the throughput that it asks for
        return ""
    return f", which keeps the loop free at {loss:.0%} less throughput"


def _alternative(best: Summary, row: Sequence[Summary], loop: str) -> str:
    """Says which strategy has far less lag than the recommended one, and what that costs; "" for none."""
    other = alternative(row, best, loop=loop)
    if other is None:
        return ""
    loss = 1 - other["throughput"].value / best["throughput"].value
    lag, instead = format_ns(other["lag_p99"].value), format_ns(best["lag_p99"].value)
    cost = f" at {loss:.0%} less throughput" if loss >= _FELT else ""
    return f"{other.cell.strategy} has a p99 loop lag of {lag} instead of {instead}{cost}"


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
