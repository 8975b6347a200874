"""Carries a plan out: which run comes when, each saved as soon as it ends."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
import random

from loopstall.records import NOT_TRIED, Cell, Plan, Run, RunError

__all__ = ["Slot", "execute", "order", "remaining", "run_seed"]

Slot = tuple[Cell, int]


def order(plan: Plan) -> list[Slot]:
    """Returns every run of a plan, round by round, each round in a seeded random order of its own.

    A drift of the machine falls on all cells alike, and no cell's runs stand in a row.
    """
    rng = random.Random(plan.seed)
    slots: list[Slot] = []
    for index in range(plan.processes):
        cells = list(plan.cells)
        rng.shuffle(cells)
        if len(cells) > 1 and slots and slots[-1][0] == cells[0]:
            cells.append(cells.pop(0))
        slots += [(cell, index) for cell in cells]
    return slots


def run_seed(plan: Plan, index: int) -> int:
    """Returns the seed of the runs of one round: the same for all cells, so that all do the same jobs."""
    return plan.seed * 1_000_003 + index * 101


def remaining(plan: Plan, done: Iterable[Run]) -> list[Slot]:
    """Returns what of a plan is still to be measured: what is missing, and what failed."""
    finished = {(run.cell, run.index) for run in done if run.error is None}
    return [slot for slot in order(plan) if slot not in finished]


def execute(
    plan: Plan, slots: Iterable[Slot], *, run: Callable[[Cell, int, int], Run], save: Callable[[Run], object]
) -> Generator[Run]:
    """Measures the slots one by one and yields each run when it has been saved.

    After a cell's first failure its other runs are not tried, for a hang would cost the time limit every time:
    they are recorded as failed for that reason.

    Args:
        plan: the plan, with its seed.
        slots: the slots to measure, in order.
        run: measures (cell, index, seed).
        save: keeps a run.
    """
    failed: dict[Cell, Run] = {}
    for cell, index in slots:
        first = failed.get(cell)
        if first is not None:
            error = RunError(kind=NOT_TRIED, message=f"not tried, because run {first.index} of this cell failed")
            result = replace(first, index=index, seed=run_seed(plan, index), process_ns=0, error=error)
        else:
            result = run(cell, index, run_seed(plan, index))
            if result.error is not None:
                failed[cell] = result
        save(result)
        yield result
