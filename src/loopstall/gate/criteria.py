"""Thresholds and sample sizes of the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loopstall.analysis.summary import Budget
from loopstall.records import Cell
from loopstall.stats.paired import fewest_pairs

__all__ = ["AVAILABILITY", "CPU", "LOOKS", "TESTED", "TIME", "TRAP", "Criteria"]

TIME, AVAILABILITY, TRAP, CPU = "time_per_job", "availability", "trap", "cpu_per_job"

TESTED = (TIME, AVAILABILITY, TRAP)
"""The metrics that decide. CPU time per job is shown beside them: steadier, but no client waits for it."""

LOOKS = 2
"""The number of looks at the confirming pairs: when they are there, and when as many again are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Thresholds and sample sizes of the gate.

    Args:
        effect: the least relative change that counts; 0.02 is two percent, or two points of availability.
        effects: the same for single workloads, by name.
        alpha: the probability of one false alarm in the whole matrix.
        rounds: pairs a cell that screen.
        confirm: pairs more of a cell that looks worse; as many again where these leave it open.
        budget: the limits beyond which a cell is a trap.
        budgets: the same for single workloads, by name.
        limited: whether a candidate that breaks its budget fails whatever the baseline does.
    """

    effect: float = 0.02
    effects: Mapping[str, float] = field(default_factory=dict)
    alpha: float = 0.01
    rounds: int = 8
    confirm: int = 24
    budget: Budget = field(default_factory=Budget)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    limited: bool = False

    def effect_of(self, cell: Cell) -> float:
        """Returns the least change of a cell that counts."""
        return self.effects.get(cell.workload.name, self.effect)

    def budget_of(self, cell: Cell) -> Budget:
        """Returns the budget of a cell."""
        return self.budgets.get(cell.workload.name, self.budget)

    def confirming(self, cells: int) -> int:
        """Returns how many pairs confirm in a matrix: as asked for, and enough for as many tests as there are."""
        return max(self.confirm, fewest_pairs(LOOKS * cells * len(TESTED), self.alpha) + 1)
