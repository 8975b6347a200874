"""``loopstall run``."""

from collections.abc import Callable, Generator
import contextlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
import time
from typing import Any

import click
from click.core import ParameterSource

from loopstall.cli.options.opening import open_option
from loopstall.cli.options.plan import (
    BROKERS,
    BUDGETS,
    LIMITS,
    LOAD,
    MATRIX,
    RUN_SECONDS,
    budget_asked,
    make_plan,
    matrix_options,
)
from loopstall.cli.options.settings import SettingsCommand
from loopstall.cli.options.types import SECONDS
from loopstall.errors import InputError
from loopstall.records import Plan, Run
from loopstall.report.output import say
from loopstall.results import store
from loopstall.results.pages import REPORTS
from loopstall.runner import cluster, schedule
from loopstall.runner.execution import Executes
from loopstall.runner.session import measure
from loopstall.runner.single import Limits

__all__ = ["command"]

_PROCESSES = 5
_QUICK, _QUICK_OF_MANY = 4, 2
_MANY = 26
"""Of so many cells and less, four runs each take about a minute, and four are what `loopstall compare` needs."""
_RIGOROUS = 20


_EXAMPLES = (
    ("loopstall run --quick", "Measure the default matrix in about a minute, and write its page."),
    ("loopstall run mine.py -s to_thread -s processes", "Measure your own workload under two strategies."),
)
_GROUPS = {
    "What to measure": MATRIX,
    "Load": ("jobs", "seconds", *LOAD),
    "How often": ("processes", "quick", "rigorous"),
    "Budgets": BUDGETS,
    "Limits of each run": LIMITS,
    "Where to measure": ("on", "scheduler", *BROKERS),
    "Output": ("output", "resume", "open_"),
}


@click.command(
    "run", cls=SettingsCommand, left_out=("resume", "workloads", "open_"), examples=_EXAMPLES, groups=_GROUPS
)
@matrix_options
@click.option("--jobs", type=click.IntRange(1, 10_000_000), help="Jobs per run, instead of --seconds.")
@click.option("--seconds", type=SECONDS, help=f"How long each run starts new jobs. [{RUN_SECONDS:g}s]")
@click.option(
    "--processes", type=click.IntRange(1, 1_000), help=f"Runs per cell, each in a fresh process. [{_PROCESSES}]"
)
@click.option(
    "--quick", is_flag=True, help=f"{_QUICK} runs per cell, {_QUICK_OF_MANY} where there are over {_MANY} cells."
)
@click.option("--rigorous", is_flag=True, help=f"{_RIGOROUS} runs per cell.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write results to. [reports/<time>-<name>]"
)
@click.option("--on", type=click.Choice(["dask"]), help="Spread whole runs over a cluster, one at a time on each host.")
@click.option("--scheduler", metavar="URL", help="tcp://HOST:PORT of that cluster's scheduler.")
@click.option("--resume", is_flag=True, help="Complete a partial result: that of -o, else the newest in reports/.")
@open_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Measure WORKLOADS under strategies, each run in a fresh process, and flag where the event loop stalls.

    WORKLOADS are names (see `loopstall list`) or paths of workload files. Without any, they are those of the
    folder workloads/ here; without such a folder, the bundled ones.
    """
    begun = time.perf_counter()
    if bool(options["on"]) != bool(options["scheduler"]):
        raise click.UsageError("--on dask and --scheduler tcp://HOST:PORT go together")
    if options["resume"]:
        folder, plan, done = _resume(ctx, options["output"])
    else:
        plan = _plan(options)
        folder = options["output"] or store.new_folder(REPORTS, plan.name, datetime.now())  # noqa: DTZ005  # local
        done = []
        if plan.cells:
            store.Store(folder).begin(plan)
    limited = budget_asked(ctx)
    return measure(
        plan,
        folder,
        done,
        limited=limited,
        begun=begun,
        opens=options["open_"],
        executes=_spread(options["scheduler"]),
    )


def _spread(scheduler: str | None) -> Executes | None:
    """Returns what measures on a cluster; None where there is none."""
    if scheduler is None:
        return None

    def execute(plan: Plan, slots: list[schedule.Slot], save: Callable[[Run], object]) -> Generator[Run]:
        return cluster.execute(
            plan,
            slots,
            scheduler=scheduler,
            limits=Limits.of(plan),
            save=save,
            told=lambda text: click.echo(f"loopstall: {text}", err=True),
        )

    return execute


def _plan(options: dict[str, Any]) -> Plan:
    if options["quick"] and options["rigorous"]:
        raise click.UsageError("--quick and --rigorous cannot be used together")
    if options["jobs"] and options["seconds"]:
        raise click.UsageError("--jobs and --seconds cannot be used together: a run ends by the one or the other")
    preset = _QUICK if options["quick"] else _RIGOROUS if options["rigorous"] else _PROCESSES
    name = "quick" if options["quick"] else "rigorous" if options["rigorous"] else "run"
    plan = make_plan(options, name=name, processes=options["processes"] or preset)
    if options["quick"] and not options["processes"] and len(plan.cells) > _MANY:
        return replace(plan, processes=_QUICK_OF_MANY)
    return plan


def _resume(ctx: click.Context, folder: Path | None) -> tuple[Path, Plan, list[Run]]:
    given = [
        name
        for name in ctx.params
        if name not in {"resume", "output", "on", "scheduler", "open_"}
        and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given or ctx.params["workloads"]:
        what = f"--{given[0].replace('_', '-')}" if given and given[0] != "workloads" else "a workload"
        raise click.UsageError(f"--resume takes its settings from the result's plan; leave {what} out")
    folder = folder or _newest_partial()
    found = store.load([folder])
    assert found.plan is not None  # a folder without a plan is an error
    for warning in found.warnings:
        say(f"loopstall: {warning}", err=True)
    known = set(found.plan.cells)
    return folder, found.plan, [run for run in found.runs if run.cell in known]


def _newest_partial() -> Path:
    for folder in sorted(REPORTS.glob("*"), reverse=True):
        if (folder / store.PLAN_FILE).is_file():
            with contextlib.suppress(InputError):
                found = store.load([folder])
                if found.plan is not None and schedule.remaining(found.plan, found.runs):
                    return folder
    raise InputError(f"there is no partial result in {REPORTS}/; name its folder with -o")
