"""Summaries of cells: medians over runs, broken budgets and traps."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loopstall.analysis.metrics import METRICS
from loopstall.records import Cell, Frame, Measured, Plan, Run, Summary
from loopstall.records.clock import NS_PER_MS
from loopstall.records.frames import is_users
from loopstall.records.units import format_ns
from loopstall.stats.median import median_estimate

__all__ = [
    "DEFAULT_AVAILABILITY",
    "DEFAULT_STALL_NS",
    "Budget",
    "Budgets",
    "breach",
    "budgets_of",
    "samples",
    "stack_of",
    "summarise",
]

DEFAULT_STALL_NS = 50 * NS_PER_MS
"""A stall that long is one that a client notices on top of a network's round trip."""

DEFAULT_AVAILABILITY = 0.5
"""A loop that is stalled half of the time is blocked by its own work; less can be the wait for a CPU on a small
machine whose cores the pool's workers fill, which is no trap. Services set a stricter one."""

_LEAST_THRESHOLDS = 20
"""A run shorter than this many stall thresholds has no availability to judge: one stall would decide it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of a loop: the longest single stall, and the least loop availability (0 to 1)."""

    stall_ns: int = DEFAULT_STALL_NS
    availability: float = DEFAULT_AVAILABILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The budget of every cell: that of its workload, by name, or the common one."""

    common: Budget = field(default_factory=Budget)
    own: Mapping[str, Budget] = field(default_factory=dict)

    def of(self, cell: Cell) -> Budget:
        """Returns the budget of a cell."""
        return self.own.get(cell.workload.name, self.common)


def budgets_of(plan: Plan) -> Budgets:
    """Returns what makes a cell of a plan a trap."""
    own = {name: Budget(stall_ns=stall_ns, availability=least) for name, stall_ns, least in plan.budgets}
    return Budgets(common=Budget(stall_ns=plan.budget_stall_ns, availability=plan.budget_availability), own=own)


def breach(measured: Measured, budget: Budget) -> str:
    """Describes in words, with both values, how a run broke the budget; empty where it kept it."""
    return _told(_broken(measured, budget))


def _told(broken: Mapping[str, str]) -> str:
    return " and ".join(broken.values())


def _broken(measured: Measured, budget: Budget) -> dict[str, str]:
    """Returns which metrics of a run broke the budget, each in words; stalls that the machine made break none."""
    broken: dict[str, str] = {}
    longest_ns = measured.longest_own_stall_ns
    if longest_ns > budget.stall_ns:
        broken["longest_stall"] = f"a stall of {format_ns(longest_ns)} is over {format_ns(budget.stall_ns)}"
    long_enough = measured.wall_ns >= _LEAST_THRESHOLDS * measured.threshold_ns
    if long_enough and measured.own_availability < budget.availability:
        share = measured.own_availability
        broken["availability"] = f"loop availability of {share:.0%} is under {budget.availability:.0%}"
    return broken


def samples(runs: Iterable[Run]) -> dict[Cell, list[Run]]:
    """Gathers the runs of each cell, in the order in which cells first appear."""
    gathered: dict[Cell, list[Run]] = {}
    for run in runs:
        gathered.setdefault(run.cell, []).append(run)
    return gathered


def summarise(cell: Cell, runs: Sequence[Run], budget: Budget) -> Summary:
    """Sums a sample up.

    A cell is a trap when more than half of its runs break the budget: a real trap is there every time, and one
    run that the machine disturbed makes none.

    Args:
        cell: the cell of the runs.
        runs: the sample, failed runs among them.
        budget: the limits of each run.
    """
    good = [run.measured for run in runs if run.measured is not None]
    failures = [run.error for run in runs if run.error is not None]
    broken = [one for measured in good if (one := _broken(measured, budget))]
    return Summary(
        cell=cell,
        runs=len(good),
        estimates=tuple(
            (name, median_estimate([metric.read(measured) for measured in good])) for name, metric in METRICS.items()
        )
        if good
        else (),
        trap=len(broken) * 2 > len(good),
        broke=len(broken),
        why=_told(broken[0]) if broken else "",
        broken=tuple(dict.fromkeys(name for one in broken for name in one)),
        culprit=_culprit(good),
        error=failures[0] if failures else None,
    )


def _culprit(good: Sequence[Measured]) -> Frame | None:
    """Returns the user's worst line of the function to which most stalled time is put down, None for none."""
    blamed: Counter[Frame] = Counter()
    functions: Counter[tuple[str, str]] = Counter()
    for measured in good:
        for stall in measured.own_stalls:
            if stall.culprit is not None and is_users(stall.culprit.file):
                blamed[stall.culprit] += stall.duration_ns
                functions[stall.culprit.file, stall.culprit.function] += stall.duration_ns
    worst = functions.most_common(1)[0][0] if functions else None
    return next((frame for frame, _ in blamed.most_common() if (frame.file, frame.function) == worst), None)


def stack_of(runs: Sequence[Run], culprit: Frame | None) -> tuple[Frame, ...]:
    """Returns the stack of the longest stall that the culprit made."""
    stalls = [
        stall
        for run in runs
        if run.measured is not None
        for stall in run.measured.own_stalls
        if culprit is not None and stall.culprit == culprit and stall.stack
    ]
    return max(stalls, key=lambda stall: stall.duration_ns).stack if stalls else ()
