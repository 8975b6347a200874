"""Carries a plan out before the user's eyes: what `run` and `serve-bench` share."""

from collections.abc import Callable, Generator
import contextlib
from dataclasses import dataclass
from pathlib import Path
import time

import click
from click.core import ParameterSource
from rich.console import Console

from loopstall.analysis.summary import budgets_of, samples, summarise
from loopstall.cli.out import console, say
from loopstall.cli.plan import limits_of
from loopstall.cli.progress import shown
from loopstall.errors import InputError, MeasurementError, Terminated
from loopstall.records import Plan, Run
from loopstall.report.terminal import results
from loopstall.report.text import printable, remarks
from loopstall.results import store
from loopstall.runner import environment, schedule
from loopstall.runner.single import Runner

__all__ = ["REPORTS", "carry_out"]

REPORTS = Path("reports")
"""Where results lie, unless the user says otherwise."""


Executes = Callable[[Plan, list[schedule.Slot], Callable[[Run], object]], Generator[Run]]
"""Measures slots, saves each run and yields it."""


def carry_out(
    ctx: click.Context,
    plan: Plan,
    folder: Path,
    done: list[Run],
    *,
    begun: float,
    executes: Executes | None = None,
) -> int:
    """Measures what of a plan is missing, shows it, and writes the page.

    Args:
        ctx: whose options say whether a broken budget fails the command.
        plan: what to measure.
        folder: where the runs go.
        done: those that are there already.
        begun: when the command began, as ``time.perf_counter`` has it.
        executes: what measures; one run after the other on this machine for None.

    Returns:
        The exit code.

    Raises:
        MeasurementError: no process can be started, or no run be saved.
    """
    terminal, progress = console(), console(err=True)
    if not plan.cells:
        terminal.print(results([], plan.skipped, width=terminal.width))
        return 5
    account = _Account(runs=list(done))
    failure: MeasurementError | None = None
    try:
        _measure(plan, folder, account, progress, executes or _here)
    except MeasurementError as error:
        failure = error
    except KeyboardInterrupt as interrupt:
        _page(account.runs, folder, plan)
        total = len(plan.cells) * plan.processes
        progress.print(
            f"Interrupted: {len(account.runs)} of {total} runs are saved in {printable(str(folder))};"
            f" complete them with: loopstall run --resume -o {printable(str(folder))}",
            soft_wrap=True,
        )
        return 128 + (interrupt.number if isinstance(interrupt, Terminated) else 2)
    return _finish(ctx, plan=plan, folder=folder, account=account, failure=failure, terminal=terminal, begun=begun)


def _finish(
    ctx: click.Context,
    *,
    plan: Plan,
    folder: Path,
    account: "_Account",
    failure: MeasurementError | None,
    terminal: Console,
    begun: float,
) -> int:
    budgets = budgets_of(plan)
    summaries = [summarise(cell, runs, budgets.of(cell)) for cell, runs in samples(account.runs).items()]
    order = {cell: number for number, cell in enumerate(plan.cells)}
    summaries.sort(key=lambda item: order[item.cell])
    terminal.print(results(summaries, plan.skipped, width=terminal.width))
    for text in remarks(account.runs):
        terminal.print(text, style="dim", soft_wrap=True)
    page = _page(account.runs, folder, plan)
    terminal.print(account.text(time.perf_counter() - begun), soft_wrap=True)
    if page is not None:
        terminal.print(f"Page: {printable(str(page))}", soft_wrap=True)
    if failure is not None:
        raise failure
    if any(item.error is not None for item in summaries):
        return 3
    asked = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    limited = any(ctx.get_parameter_source(name) in asked for name in ("budget", "availability"))
    broken = [item for item in summaries if item.trap and (limited or item.cell.workload.name in budgets.own)]
    return 1 if broken else 0


@dataclass(slots=True)
class _Account:
    """What was measured, and what of the wall time it took."""

    runs: list[Run]
    count: int = 0
    process_ns: int = 0
    load_ns: int = 0

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self.count += 1
        self.process_ns += run.process_ns
        self.load_ns += run.measured.wall_ns if run.measured is not None else 0

    def text(self, wall_s: float) -> str:
        load_s, process_s = self.load_ns / 1e9, self.process_ns / 1e9
        hosts = {run.environment.host for run in self.runs if run.environment is not None}
        if process_s > wall_s:
            return f"{self.count} runs in {wall_s:.1f} s, {process_s:.1f} s of processes on {len(hosts)} hosts."
        return (
            f"{self.count} runs in {wall_s:.1f} s: {load_s:.1f} s under load, {process_s - load_s:.1f} s starting,"
            f" priming and ending their processes, {wall_s - process_s:.1f} s for the rest:"
            f" {max(0.0, 1 - load_s / wall_s):.0%} outside the measured load."
        )


def _here(plan: Plan, slots: list[schedule.Slot], save: Callable[[Run], object]) -> Generator[Run]:
    with Runner(environment.describe(), limits_of(plan)) as runner:
        yield from schedule.execute(
            plan, slots, run=lambda cell, index, seed: runner.run(cell, index=index, seed=seed), save=save
        )


def _measure(plan: Plan, folder: Path, account: _Account, progress: Console, executes: Executes) -> None:
    slots = schedule.remaining(plan, account.runs)
    total = len(plan.cells) * plan.processes
    account.runs = [run for run in account.runs if run.error is None]
    target = store.Store(folder)
    unsaved: list[Run] = []

    def save(run: Run) -> None:
        unsaved[:] = [run]
        target.save(run)
        unsaved.clear()

    with shown(progress, total, total - len(slots)) as bar, contextlib.closing(executes(plan, slots, save)) as runs:
        try:
            for run in runs:
                account.add(run)
                bar.advance(f"{run.cell.row} {run.cell.strategy}")
        finally:
            for run in unsaved:  # measured but not on the disk: it is shown all the same
                account.add(run)


def _page(runs: list[Run], folder: Path, plan: Plan) -> Path | None:
    """Writes the page, and the list of all results where they lie in the usual place."""
    from loopstall.analysis.content import Content
    from loopstall.cli.pages import write_index, write_page  # not before the measurement is over

    try:
        path = write_page(folder, Content(title=folder.name, runs=runs, plan=plan, budgets=budgets_of(plan)))
        if folder.parent == REPORTS:
            write_index(REPORTS)
    except InputError as error:
        say(f"loopstall: {error}; try loopstall report", err=True)
        return None
    return path
