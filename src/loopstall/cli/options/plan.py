"""A plan from the options that `run`, `gate` and `serve-bench` share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from loopstall.analysis.summary import DEFAULT_AVAILABILITY, Budget, Budgets
from loopstall.cli.options.settings import by_workload
from loopstall.cli.options.types import DURATION, RATE, SECONDS, SHARE, SIZE
from loopstall.dispatch.celery_queue import BROKER_URL
from loopstall.dispatch.dask_cluster import SCHEDULER
from loopstall.errors import InputError
from loopstall.records import Cell, Load, Plan, Skipped, Strategy
from loopstall.records.cells import ASYNC, OLDER_ASYNC, strategy_shown
from loopstall.records.units import counted
from loopstall.report.output import say
from loopstall.runner import matrix
from loopstall.workloads.definition import Grid, Workload
from loopstall.workloads.loader import find

__all__ = [
    "BROKERS",
    "BUDGETS",
    "LIMITS",
    "LOAD",
    "MATRIX",
    "RUN_SECONDS",
    "SERVED_HEAVY",
    "SERVED_RATE",
    "bounds",
    "budget_asked",
    "budgets_asked",
    "default_memory_limit",
    "make_plan",
    "matrix_options",
    "plan_of",
    "setting",
    "with_options",
]

MATRIX = ("strategy", "everything", "bundled", "param")
LOAD = ("concurrency", "rate", "arrivals")
BUDGETS = ("budget", "availability", "threshold")
LIMITS = ("seed", "time_limit", "memory_limit")
BROKERS = ("broker_url", "dask_scheduler")
"""The names of the options below, for the groups of a command's help."""

RUN_SECONDS = 0.38  # two runs of each of the 52 cells fit into a minute, with what starting them takes

SERVED_RATE, SERVED_HEAVY = 80.0, 0.05
"""The load on a server: requests a second, and the share of them that do the work."""

_CONCURRENCY = 8
_TOTAL_LIMIT = 100_000  # runs of one matrix; more is a slip of the finger


_MATRIX = (
    click.argument("workloads", nargs=-1),
    click.option("-s", "--strategy", multiple=True, help="LOOP/DISPATCH, or either alone; may be repeated. [all]"),
    click.option("--all", "everything", is_flag=True, help="Include what the default matrix leaves out."),
    click.option("--bundled", is_flag=True, help="Include the bundled workloads where workloads/ has some of its own."),
    click.option("-p", "--param", multiple=True, metavar="NAME=VALUE", help="Values of a parameter: NAME=V1,V2."),
    click.option("--concurrency", type=click.IntRange(1, 10_000), help=f"Jobs in flight at a time. [{_CONCURRENCY}]"),
    click.option("--rate", type=RATE, help="Arrival rate in jobs per second: an open load, instead of --concurrency."),
    click.option(
        "--arrivals",
        type=click.Choice(["poisson", "constant"]),
        default="poisson",
        help="Arrivals of an open load. [poisson]",
    ),
)


def bounds(threshold: str) -> tuple[Callable[..., Any], ...]:
    """Returns the options that bound what is measured.

    Args:
        threshold: the default of that option.
    """
    return (
        click.option(
            "--budget",
            type=DURATION,
            default="50ms",
            show_default=True,
            help="Longest stall that is allowed; if given, exit with 1 where it is exceeded.",
        ),
        click.option(
            "--availability",
            type=SHARE,
            default=str(DEFAULT_AVAILABILITY),
            show_default=True,
            help="Least share of time without stalls that is allowed; if given, exit with 1 below it.",
        ),
        click.option(
            "--threshold",
            type=DURATION,
            default=threshold,
            show_default=True,
            help="Lag of the event loop from which it is a stall.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32),
            default=1,
            show_default=True,
            help="Seed of the order of runs and of the jobs.",
        ),
        click.option(
            "--time-limit", type=SECONDS, default="60s", show_default=True, help="Fail a run that takes longer."
        ),
        click.option(
            "--memory-limit",
            type=SIZE,
            help="Address space of each process, 0 for no limit. [half of the machine's memory]",
        ),
        _environment_option("--broker-url", BROKER_URL, "Broker for the celery dispatch. [one that loopstall starts]"),
        _environment_option(
            "--dask-scheduler", SCHEDULER, "tcp://HOST:PORT for the dask dispatch. [one that loopstall starts]"
        ),
    )


def _environment_option(name: str, variable: str, text: str) -> Callable[..., Any]:
    """Returns an option that measuring processes find in their environment."""

    def keep(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[variable] = value

    return click.option(name, callback=keep, expose_value=False, metavar="URL", help=text)


def with_options(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds options to a command, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


matrix_options = with_options(*_MATRIX, *bounds("5ms"))
"""Adds the options that say what is measured and within which bounds."""


def make_plan(options: dict[str, Any], *, name: str, processes: int, servers: bool = False) -> Plan:
    """Returns the plan of a matrix.

    Args:
        options: those of ``matrix_options``, with ``jobs`` and ``seconds``.
        name: of the result where no workload is chosen by name.
        processes: runs a cell.
        servers: whether words may mean servers, whose heavy requests then do the work of the chosen workloads.

    Raises:
        InputError: a workload or strategy does not exist, or there are too many runs.
    """
    served = {word: matrix.scenarios_of(word) for word in options["workloads"] if servers}
    words = [word for word in options["workloads"] if not served.get(word)]
    chosen = find(words, everything=options["everything"], bundled=options["bundled"])
    grids = matrix.override(chosen, [setting(text) for text in options["param"]])
    if len(words) < len(options["workloads"]):
        scenarios = dict.fromkeys(item for found in served.values() for item in found)
        return plan_of(*_served(chosen, grids, tuple(scenarios), options), options, name=name, processes=processes)
    for text in options["strategy"]:
        if text.rpartition("/")[2] == OLDER_ASYNC:
            say(
                f"loopstall: {OLDER_ASYNC} is called {ASYNC} since version 0.1: write -s {strategy_shown(text)}",
                err=True,
            )
    wanted = tuple(dict.fromkeys(map(matrix.parse_strategy, options["strategy"]))) or matrix.strategies(
        everything=options["everything"]
    )
    load = Load(
        jobs=options["jobs"],
        seconds=None if options["jobs"] else (options["seconds"] or RUN_SECONDS),
        concurrency=options["concurrency"] or _CONCURRENCY,
        rate=options["rate"],
        arrivals=options["arrivals"],
    )
    cells, skipped = matrix.build(chosen, grids, wanted, load)
    name = "-".join(item.name for item in chosen) if options["workloads"] else name
    return plan_of(cells, skipped, options, name=name, processes=processes)


def _served(
    chosen: Sequence[Workload],
    grids: Mapping[str, tuple[Grid, ...]],
    wanted: Sequence[Strategy],
    options: dict[str, Any],
) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    """Returns the cells of servers, and those that cannot be measured here."""
    if options["strategy"]:
        raise click.UsageError("-s goes with workloads; the way of a server is in its name: uvicorn-1/to_thread")
    load = Load(
        seconds=options["seconds"], rate=options["rate"] or SERVED_RATE, arrivals="constant", heavy=SERVED_HEAVY
    )
    return matrix.serve(chosen, grids, wanted, load)


def plan_of(
    cells: tuple[Cell, ...], skipped: tuple[Skipped, ...], options: dict[str, Any], *, name: str, processes: int
) -> Plan:
    """Returns the plan of some cells.

    Args:
        cells: the cells to measure.
        skipped: the others, with the reason.
        options: those of ``bounds``.
        name: of the result.
        processes: runs a cell.

    Raises:
        InputError: there are too many runs.
    """
    if len(cells) * processes > _TOTAL_LIMIT:
        each = counted(processes, "run")
        raise InputError(f"{counted(len(cells), 'cell')} with {each} each are over {_TOTAL_LIMIT:,} runs; choose fewer")
    budgets = budgets_asked(options)
    return Plan(
        name=name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        cells=cells,
        skipped=skipped,
        processes=processes,
        seed=options["seed"],
        threshold_ns=int(options["threshold"] * 1e9),
        budget_stall_ns=budgets.common.stall_ns,
        budget_availability=budgets.common.availability,
        budgets=tuple((name, own.stall_ns, own.availability) for name, own in budgets.own.items()),
        time_limit_s=options["time_limit"],
        memory_limit_bytes=default_memory_limit() if options["memory_limit"] is None else int(options["memory_limit"]),
    )


def budgets_asked(options: dict[str, Any]) -> Budgets:
    """Returns the budgets: of the options, and of single workloads those of pyproject.toml.

    Raises:
        InputError: a setting is not what it should be.
    """
    common = Budget(stall_ns=int(options["budget"] * 1e9), availability=options["availability"])
    own: dict[str, Budget] = {}
    for name, table in by_workload(Path.cwd()).items():
        try:
            if "stall" in table:
                own[name] = replace(common, stall_ns=int(DURATION.convert(table["stall"], None, None) * 1e9))
            if "availability" in table:
                own[name] = replace(
                    own.get(name, common), availability=SHARE.convert(table["availability"], None, None)
                )
        except click.BadParameter as error:
            raise InputError(f"[tool.loopstall.workload.{name}]: {error.message}") from error
    return Budgets(common=common, own=own)


def budget_asked(ctx: click.Context) -> bool:
    """Returns whether an option or a setting gave a budget, so that a cell that breaks it fails the command."""
    asked = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    return any(ctx.get_parameter_source(name) in asked for name in ("budget", "availability"))


def setting(text: str) -> tuple[str, str]:
    """Splits NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise click.UsageError(f"-p {text} is not NAME=VALUE")
    return name, value


def default_memory_limit() -> int:
    """Returns half of the machine's memory, so that a job that eats memory fails before the machine does."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return 0
