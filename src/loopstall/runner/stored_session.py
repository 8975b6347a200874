"""``loopstall gate --against``: a stored baseline, and a candidate that is measured now or stored as well."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
import time
from typing import Any

from rich.console import Console

from loopstall.analysis.compare import Figures, figures_of
from loopstall.errors import InputError
from loopstall.gate.criteria import Criteria
from loopstall.gate.unpaired import judge_apart, noise_between
from loopstall.records import Cell, Plan, Run, Skipped, Verdict
from loopstall.report.output import say
from loopstall.report.progress import shown, tell_limit
from loopstall.results import store, stored
from loopstall.results.stored import Stored
from loopstall.runner import environment, matrix, schedule
from loopstall.runner.single import Limits, Runner
from loopstall.stats.ratio import MIN_RUNS
from loopstall.workloads.loader import discover, find

__all__ = ["OTHERS", "Judged", "against"]

OTHERS = ("baseline", "baseline_path", "candidate_path", "baseline_python", "candidate_python", "bundled", "param",
          "concurrency", "rate", "arrivals", "turns", "confirm", "quick", "alpha")  # fmt: skip
"""Options of the gate that measures in pairs, or that the stored result has fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdicts of a gate, its remarks, the folder of what it measured, if it measured, and what interrupted it.

    ``uncompared`` says why the sides proved to be one, "" where they did not.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    interrupt: KeyboardInterrupt | None = None
    uncompared: str = ""


def against(
    baseline: Path, options: dict[str, Any], rules: Criteria, *, folder: Callable[[], Path], progress: Console
) -> Judged:
    """Judges a candidate against a stored result.

    Args:
        baseline: a results folder, or JSON of pyperf or pytest-benchmark.
        options: the command's; ``candidate_results`` is the candidate where it is stored too.
        rules: thresholds and sample sizes.
        folder: makes the results folder of what is measured.
        progress: the console that shows progress.

    Raises:
        InputError: a side cannot be read, or the baseline holds nothing that can be measured again.
    """
    base = _read(baseline)
    if options["candidate_results"] is not None:
        head = _read(options["candidate_results"])
        noise = noise_between(base.figures, head.figures, (base.environment, head.environment))
        verdicts = judge_apart(base.figures, head.figures, rules, noise.threshold)
        return Judged(verdicts=verdicts, notes=(f"{head.name} against {base.name}", *noise.notes))
    if base.plan is None:
        raise InputError(f"{baseline} holds no plan that could be measured again; give --candidate-results FILE")
    plan = _plan(base.plan, options, rules)
    if not plan.cells:
        return Judged(skipped=plan.skipped)
    where = folder()
    keys = {cell.key for cell in plan.cells}
    ours = [item for item in base.figures if item.key in keys]
    target = store.Store(where / "candidate")
    target.begin(plan)
    with Runner(environment.describe(), Limits.of(plan)) as runner:
        measuring = _Measuring(plan, runner, target, progress, options["max_minutes"])
        heads = measuring.measure(plan.cells)
        noise = noise_between(ours, heads, (base.environment, environment.describe()))
        verdicts = judge_apart(ours, heads, rules, noise.threshold)
        worse = {item.name for item in verdicts if item.verdict == "regressed"}
        suspects = tuple(cell for cell in plan.cells if f"{cell.row} · {cell.strategy}" in worse)
        if suspects:  # what looked worse by chance is not held against it: the new runs alone decide
            heads = measuring.measure(suspects)
            keys = {cell.key for cell in suspects}
            confirmed = judge_apart([item for item in ours if item.key in keys], heads, rules, noise.threshold)
            settled = {item.name: item for item in confirmed}
            verdicts = [settled.get(item.name, item) for item in verdicts]
    notes = (f"this machine now against {base.name}; results: {where}", *noise.notes)
    return Judged(verdicts=verdicts, skipped=plan.skipped, notes=notes, folder=where)


def _read(path: Path) -> Stored:
    found = stored.read(path)
    for warning in found.warnings:
        say(f"loopstall: {warning}", err=True)
    return found


def _plan(before: Plan, options: dict[str, Any], rules: Criteria) -> Plan:
    """Returns the plan to measure the chosen cells of a stored one again, as they were measured then.

    The control cells are included: they show how far the machine has drifted.
    """
    chosen = find(options["workloads"]) if options["workloads"] else tuple(discover().values())
    names = {item.name for item in chosen}
    strategies = {matrix.parse_strategy(text) for text in options["strategy"]}
    within = [cell for cell in before.cells if cell.strategy in (strategies or {cell.strategy})]
    wanted = [cell for cell in within if cell.workload.name in names]
    if not wanted:
        raise InputError("the stored result has no cell of these workloads and strategies; see loopstall report")
    wanted += [cell for cell in within if cell.control and cell not in wanted]
    cells, skipped = matrix.again(wanted, {**discover(), **{item.name: item for item in chosen}}.values())
    return replace(
        before,
        name="gate",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        cells=cells,
        skipped=skipped,
        processes=options["rounds"] or max(before.processes, MIN_RUNS),
        budget_stall_ns=rules.budget.stall_ns,
        budget_availability=rules.budget.availability,
        budgets=tuple((name, own.stall_ns, own.availability) for name, own in rules.budgets.items()),
    )


class _Measuring:
    """Measures cells of a plan again and saves each run."""

    def __init__(
        self, plan: Plan, runner: Runner, target: store.Store, progress: Console, limit_s: float | None
    ) -> None:
        self._plan = plan
        self._runner = runner
        self._target = target
        self._progress = progress
        self._deadline = time.monotonic() + limit_s if limit_s else None
        self._begun = 0
        tell_limit(progress, limit_s)

    def measure(self, cells: tuple[Cell, ...]) -> list[Figures]:
        """Measures each cell in as many runs as the plan says, as far as the time goes."""
        runs: list[Run] = []
        part = replace(self._plan, cells=cells)
        slots = [(cell, self._begun + index) for cell, index in schedule.order(part)]
        self._begun += part.processes
        with shown(self._progress, len(slots)) as bar:
            for run in schedule.execute(
                part,
                slots,
                run=lambda cell, index, seed: self._runner.run(cell, index=index, seed=seed),
                save=self._target.save,
            ):
                runs.append(run)
                bar.advance(f"{run.cell.row} {run.cell.strategy}")
                if self._deadline is not None and time.monotonic() > self._deadline:
                    break
        measured = figures_of(runs)
        late = [Figures.nothing(cell) for cell in cells if cell not in {item.cell for item in measured}]
        return [*measured, *late]
