"""``loopstall run``."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
import time
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from loopstall import environment, session, store
from loopstall.cli.entry import Ended
from loopstall.cli.plan import SECONDS, limits_of, make_plan, matrix_options
from loopstall.cli.progress import shown
from loopstall.cli.settings import defaults
from loopstall.cli.types import DURATION
from loopstall.errors import InputError, MeasurementError
from loopstall.gate.policy import budgets_of, samples, summarise
from loopstall.records import Plan, Run
from loopstall.report.terminal import results
from loopstall.report.text import printable
from loopstall.runner import Runner

__all__ = ["command"]

_PROCESSES = 5
_QUICK = 2
_RIGOROUS = 20
_REPORTS = Path("reports")


class _Run(click.Command):
    """Reads its defaults from pyproject.toml."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        options = {param.name for param in self.params if param.name} - {"resume", "workloads"}
        extra["default_map"] = defaults(Path.cwd(), options)
        return super().make_context(*args, **extra)


@click.command("run", cls=_Run)
@matrix_options
@click.option("--jobs", type=click.IntRange(1, 10_000_000), help="Jobs a run, instead of --seconds.")
@click.option("--seconds", type=DURATION, help=f"How long each run takes new jobs. [{SECONDS:g}s]")
@click.option("--processes", type=click.IntRange(1, 1_000), help=f"Runs a cell. [{_PROCESSES}]")
@click.option("--quick", is_flag=True, help=f"{_QUICK} runs a cell.")
@click.option("--rigorous", is_flag=True, help=f"{_RIGOROUS} runs a cell.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Results folder. [reports/<time>-<name>]")
@click.option("--resume", is_flag=True, help="Complete a partial result: that of -o, else the newest in reports/.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Measure WORKLOADS under strategies, each run in a fresh process, and flag where the event loop stalls.

    WORKLOADS are names (see `loopstall list`) or paths of workload files; all that can be found for none.
    """
    begun = time.perf_counter()
    if options["resume"]:
        folder, plan, done = _resume(ctx, options["output"])
    else:
        plan = _plan(options)
        folder = options["output"] or store.new_folder(_REPORTS, plan.name, datetime.now())  # noqa: DTZ005  # local
        done = []
        if plan.cells:
            store.Store(folder).begin(plan)
    console, progress = Console(highlight=False, markup=False), Console(stderr=True, highlight=False, markup=False)
    if not plan.cells:
        console.print(results([], plan.skipped, width=console.width))
        return 5
    account = _Account(runs=list(done))
    failure: MeasurementError | None = None
    try:
        _measure(plan, folder, account, progress)
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
        return 128 + (interrupt.number if isinstance(interrupt, Ended) else 2)
    return _finish(ctx, plan=plan, folder=folder, account=account, failure=failure, console=console, begun=begun)


def _finish(
    ctx: click.Context,
    *,
    plan: Plan,
    folder: Path,
    account: "_Account",
    failure: MeasurementError | None,
    console: Console,
    begun: float,
) -> int:
    budgets = budgets_of(plan)
    summaries = [summarise(cell, runs, budgets.of(cell)) for cell, runs in samples(account.runs).items()]
    order = {cell: number for number, cell in enumerate(plan.cells)}
    summaries.sort(key=lambda item: order[item.cell])
    console.print(results(summaries, plan.skipped, width=console.width))
    page = _page(account.runs, folder, plan)
    console.print(account.text(time.perf_counter() - begun), soft_wrap=True)
    if page is not None:
        console.print(f"Page: {printable(str(page))}", soft_wrap=True)
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
        return (
            f"{self.count} runs in {wall_s:.1f} s: {load_s:.1f} s under load, {process_s - load_s:.1f} s starting,"
            f" priming and ending their processes, {wall_s - process_s:.1f} s for the rest:"
            f" {max(0.0, 1 - load_s / wall_s):.0%} outside the measured load."
        )


def _measure(plan: Plan, folder: Path, account: _Account, progress: Console) -> None:
    slots = session.remaining(plan, account.runs)
    total = len(plan.cells) * plan.processes
    account.runs = [run for run in account.runs if run.error is None]
    target = store.Store(folder)
    unsaved: list[Run] = []

    def save(run: Run) -> None:
        unsaved[:] = [run]
        target.save(run)
        unsaved.clear()

    with (
        Runner(environment.describe(), limits_of(plan)) as runner,
        shown(progress, total, total - len(slots)) as bar,
    ):
        try:
            for run in session.execute(
                plan, slots, run=lambda cell, index, seed: runner.run(cell, index=index, seed=seed), save=save
            ):
                account.add(run)
                bar.advance(f"{run.cell.row} {run.cell.strategy}")
        finally:
            for run in unsaved:  # measured but not on the disk: it is shown all the same
                account.add(run)


def _page(runs: list[Run], folder: Path, plan: Plan) -> Path | None:
    """Writes the page, and the list of all results where they lie in the usual place."""
    from loopstall.cli.pages import write_index, write_page  # noqa: PLC0415  # not before the measurement is over
    from loopstall.report.content import Content  # noqa: PLC0415

    try:
        path = write_page(folder, Content(title=folder.name, runs=runs, plan=plan, budgets=budgets_of(plan)))
        if folder.parent == _REPORTS:
            write_index(_REPORTS)
    except InputError as error:
        click.echo(f"loopstall: {error}; try loopstall report", err=True)
        return None
    return path


def _plan(options: dict[str, Any]) -> Plan:
    if options["quick"] and options["rigorous"]:
        raise click.UsageError("--quick and --rigorous exclude each other")
    if options["jobs"] and options["seconds"]:
        raise click.UsageError("--jobs and --seconds exclude each other: a run ends by the one or the other")
    preset = _QUICK if options["quick"] else _RIGOROUS if options["rigorous"] else _PROCESSES
    name = "quick" if options["quick"] else "rigorous" if options["rigorous"] else "run"
    return make_plan(options, name=name, processes=options["processes"] or preset)


def _resume(ctx: click.Context, folder: Path | None) -> tuple[Path, Plan, list[Run]]:
    given = [
        name
        for name in ctx.params
        if name not in {"resume", "output"} and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given or ctx.params["workloads"]:
        what = f"--{given[0].replace('_', '-')}" if given and given[0] != "workloads" else "a workload"
        raise click.UsageError(f"--resume takes its settings from the result's plan; leave {what} out")
    folder = folder or _newest_partial()
    found = store.load([folder])
    assert found.plan is not None  # noqa: S101  # a folder without a plan is an error
    for warning in found.warnings:
        click.echo(f"loopstall: {warning}", err=True)
    known = set(found.plan.cells)
    return folder, found.plan, [run for run in found.runs if run.cell in known]


def _newest_partial() -> Path:
    for folder in sorted(_REPORTS.glob("*"), reverse=True):
        if (folder / store.PLAN_FILE).is_file():
            with contextlib.suppress(InputError):
                found = store.load([folder])
                if found.plan is not None and session.remaining(found.plan, found.runs):
                    return folder
    raise InputError(f"there is no partial result in {_REPORTS}/; name its folder with -o")
