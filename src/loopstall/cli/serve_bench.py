"""``loopstall serve-bench``."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
import time
from typing import Any

import click

from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.opening import open_option
from loopstall.cli.options.plan import (
    BROKERS,
    BUDGETS,
    LIMITS,
    SERVED_HEAVY,
    SERVED_RATE,
    bounds,
    budget_asked,
    plan_of,
    setting,
    with_options,
)
from loopstall.cli.options.types import RATE, SECONDS, SHARE
from loopstall.errors import InputError, did_you_mean
from loopstall.records import Cell, Load, Plan, Skipped, Strategy
from loopstall.report.output import say
from loopstall.results import store
from loopstall.results.pages import REPORTS
from loopstall.runner import matrix
from loopstall.runner.session import measure
from loopstall.servers import DEF, SERVERS
from loopstall.workloads.loader import find

__all__ = ["command"]

_WORK = "hashing"
_PARAMS = ("variant=pure-python", "bytes=30000")
_PROCESSES, _QUICK = 3, 1
_SECONDS = "3s"


_EXAMPLES = (
    ("loopstall serve-bench uvicorn-1", "Load one server with the heavy work in each of its ways."),
    ("loopstall serve-bench --list", "Show the scenarios, and why one is missing."),
)
_GROUPS = {
    "Work and load": ("work", "param", "rate", "heavy", "seconds"),
    "How often": ("processes", "quick"),
    "Budgets": BUDGETS,
    "Limits of each run": (*LIMITS, *BROKERS),
    "Output": ("output", "open_", "listed"),
}


@click.command("serve-bench", cls=HelpedCommand, examples=_EXAMPLES, groups=_GROUPS)
@click.argument("scenarios", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Show the scenarios, and why one is missing.")
@click.option(
    "--work", help=f"The workload that heavy requests do, by name or path. [{_WORK}, of 30 kB in pure Python]"
)
@click.option(
    "-p", "--param", multiple=True, metavar="NAME=VALUE", help="Values of a parameter of that workload: NAME=V1,V2."
)
@click.option(
    "--rate",
    type=RATE,
    default=f"{SERVED_RATE:g}/s",
    show_default=True,
    help="Arrival rate of requests, which is constant.",
)
@click.option(
    "--heavy",
    type=SHARE,
    default=f"{SERVED_HEAVY:.0%}",
    show_default=True,
    help="Share of the requests that do the work.",
)
@click.option("--seconds", type=SECONDS, default=_SECONDS, show_default=True, help="How long each run is.")
@click.option(
    "--processes", type=click.IntRange(1, 1_000), help=f"Runs per cell, each in a fresh process. [{_PROCESSES}]"
)
@click.option("--quick", is_flag=True, help=f"{_QUICK} run per cell.")
@with_options(*bounds("20ms"))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write results to. [reports/<time>-serve]"
)
@open_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Load real servers with light requests and a share of heavy ones, and show what the light ones wait for.

    SCENARIOS are SERVER/DISPATCH, a server alone, or patterns such as 'uvicorn-*'; all for none. The table is that of
    `loopstall run`: a light request's waiting is the lag, the heavy requests are the jobs.
    """
    begun = time.perf_counter()
    chosen = _chosen(options["scenarios"])
    plan = _plan(chosen, options)
    if options["listed"]:
        reasons = {left.cell.strategy: f"; n/a: {left.reason}" for left in plan.skipped}
        for item in chosen:
            does = f"{SERVERS[item.loop].summary}, {_DOES[item.dispatch]}"
            say(f"{item!s:<26}{does}{reasons.get(item, '')}")
        return 0
    folder = options["output"] or store.new_folder(REPORTS, plan.name, datetime.now())  # noqa: DTZ005  # local
    if plan.cells:
        store.Store(folder).begin(plan)
    return measure(plan, folder, [], limited=budget_asked(ctx), begun=begun, opens=options["open_"])


_DOES = {
    "inline": "the work done right there",
    DEF: "the heavy route a plain def, in Starlette's threads",
    "to_thread": "the work by asyncio.to_thread",
    "processes": "the work in a process pool",
    "celery": "the work by a Celery worker",
}


def _chosen(words: Sequence[str]) -> list[Strategy]:
    """Returns the scenarios that words name, in the order of the list."""
    known = matrix.scenarios()
    wanted: set[Strategy] = set()
    for word in words:
        found = matrix.scenarios_of(word)
        if not found:
            raise InputError(f"unknown scenario {word!r}; {did_you_mean(word, [*map(str, known), *SERVERS])}")
        wanted.update(found)
    return [item for item in known if not words or item in wanted]


def _plan(chosen: Sequence[Strategy], options: dict[str, Any]) -> Plan:
    if options["quick"] and options["processes"]:
        raise click.UsageError("--quick and --processes cannot be used together")
    if not options["heavy"]:
        raise click.UsageError("--heavy is 0: without heavy requests there is nothing to wait for")
    cells, skipped = _cells(chosen, options)
    processes = options["processes"] or (_QUICK if options["quick"] else _PROCESSES)
    return plan_of(cells, skipped, options, name="serve", processes=processes)


def _cells(chosen: Sequence[Strategy], options: dict[str, Any]) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    workloads = find([options["work"] or _WORK])
    settings = options["param"] or (() if options["work"] else _PARAMS)
    grids = matrix.override(workloads, [setting(text) for text in settings])
    load = Load(seconds=options["seconds"], rate=options["rate"], arrivals="constant", heavy=options["heavy"])
    return matrix.serve(workloads, grids, chosen, load)
