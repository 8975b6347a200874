"""Carries a plan out on this machine or a cluster: measures what is missing, saves each run, survives interruption."""

from collections.abc import Callable, Generator, Iterable
import contextlib
from dataclasses import dataclass
from pathlib import Path

from loopstall.errors import MeasurementError
from loopstall.records import Plan, Run
from loopstall.results.store import Store
from loopstall.runner import environment, schedule
from loopstall.runner.single import Limits, Runner

__all__ = ["Executes", "Execution", "carry_out"]

Executes = Callable[[Plan, list[schedule.Slot], Callable[[Run], object]], Generator[Run]]
"""Measures slots, saves each run and yields it."""


@dataclass(slots=True)
class Execution:
    """The outcome of a plan: all of its runs, the time of the new ones, and the reason of an early end."""

    runs: list[Run]
    count: int = 0
    process_ns: int = 0
    load_ns: int = 0
    failure: MeasurementError | None = None
    interrupt: KeyboardInterrupt | None = None

    def add(self, run: Run) -> None:
        """Adds a run that was just measured."""
        self.runs.append(run)
        self.count += 1
        self.process_ns += run.process_ns
        self.load_ns += run.measured.wall_ns if run.measured is not None else 0


def carry_out(
    plan: Plan,
    slots: list[schedule.Slot],
    folder: Path,
    done: Iterable[Run],
    *,
    advance: Callable[[Run], object],
    executes: Executes | None = None,
) -> Execution:
    """Measures what of a plan is missing.

    Args:
        plan: the plan to measure.
        slots: its missing slots, in the order of measurement.
        folder: the results folder where the runs go.
        done: the runs that are there already.
        advance: called after each new run.
        executes: a function that measures; one run after the other on this machine for None.

    Returns:
        All runs, with the error or the interruption that ended the measurement early, if one did.
    """
    execution = Execution(runs=[run for run in done if run.error is None])
    target = Store(folder)
    unsaved: list[Run] = []

    def save(run: Run) -> None:
        unsaved[:] = [run]
        target.save(run)
        unsaved.clear()

    try:
        with contextlib.closing((executes or _here)(plan, slots, save)) as runs:
            for run in runs:
                execution.add(run)
                advance(run)
    except MeasurementError as error:
        execution.failure = error
    except KeyboardInterrupt as interrupt:
        execution.interrupt = interrupt
    for run in unsaved:  # measured but not on the disk: it is shown all the same
        execution.add(run)
    return execution


def _here(plan: Plan, slots: list[schedule.Slot], save: Callable[[Run], object]) -> Generator[Run]:
    with Runner(environment.describe(), Limits.of(plan)) as runner:
        yield from schedule.execute(
            plan, slots, run=lambda cell, index, seed: runner.run(cell, index=index, seed=seed), save=save
        )
