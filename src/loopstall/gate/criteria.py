"""Thresholds and sample sizes of the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loopstall.analysis.summary import Budget
from loopstall.records import Cell
from loopstall.stats.paired import fewest_pairs
from loopstall.stats.sequential import shares_of_alpha

__all__ = [
    "AVAILABILITY",
    "CPU",
    "LONGEST",
    "QUICK_CONFIRM",
    "QUICK_DOUBT",
    "QUICK_ROUNDS",
    "STEADY",
    "TESTED",
    "TIME",
    "TRAP",
    "Criteria",
    "Look",
]

TIME, AVAILABILITY, TRAP, CPU = "time_per_job", "availability", "trap", "cpu_per_job"
LONGEST, STEADY = "longest_stall", "availability_but_for_one_stall"

TESTED = (TIME, AVAILABILITY, TRAP)
"""The metrics that decide. CPU time per job is shown beside them: steadier, but no client waits for it."""

QUICK_ROUNDS, QUICK_CONFIRM, QUICK_DOUBT = 4, 16, 0.25
"""The numbers of pairs of a quick gate, which decides large changes soon, and its doubt, by which it passes over those
that do not stand out from the noise."""


_EARLY = (1, 2, 3)
"""The looks before the pairs that confirm are there, in multiples of those that screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at the pairs of a cell, at which its measurement can end.

    Args:
        pairs: how many pairs there are then.
        share: of alpha, that the look may spend.
        by_ranks: whether they are enough for the exact test of ranks to find anything; else Student's test decides.
    """

    pairs: int
    share: float
    by_ranks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Thresholds and sample sizes of the gate.

    Args:
        effect: the least relative change that counts; 0.02 is two percent, or two points of availability.
        effects: the same for single workloads, by name.
        alpha: the probability of one false alarm in the whole matrix.
        rounds: pairs a cell that screen.
        confirm: pairs more of a cell that looks worse; as many again where these leave it open.
        doubt: the greatest p-value of Student's test, of one metric alone, at which a cell still looks worse.
        budget: the limits beyond which a cell is a trap.
        budgets: the same for single workloads, by name.
        limited: whether a candidate that breaks its budget fails whatever the baseline does.
    """

    effect: float = 0.02
    effects: Mapping[str, float] = field(default_factory=dict)
    alpha: float = 0.01
    rounds: int = 8
    confirm: int = 24
    doubt: float = 1.0
    budget: Budget = field(default_factory=Budget)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    limited: bool = False

    def effect_of(self, cell: Cell) -> float:
        """Returns the least change of a cell that counts."""
        return self.effects.get(cell.workload.name, self.effect)

    def budget_of(self, cell: Cell) -> Budget:
        """Returns the budget of a cell."""
        return self.budgets.get(cell.workload.name, self.budget)

    def looks(self, cells: int) -> tuple[Look, ...]:
        """Returns when the pairs of a cell are looked at.

        Args:
            cells: of the whole matrix: the more there are, the more pairs the test of ranks needs to find anything.
        """
        tests, more = cells * len(TESTED), self.confirm
        while True:
            last = (self.rounds + more, self.rounds + 2 * more)
            counts = sorted({self.rounds * n for n in _EARLY if self.rounds * n < last[0]} | {*last, self.rounds})
            shares = shares_of_alpha([count / counts[-1] for count in counts])
            enough = [
                count > fewest_pairs(tests, self.alpha * share) for count, share in zip(counts, shares, strict=True)
            ]
            if all(enough[-2:]):
                return tuple(
                    Look(pairs=count, share=share, by_ranks=ranks)
                    for count, share, ranks in zip(counts, shares, enough, strict=True)
                )
            more += 1
