"""``loopstall history``."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
import subprocess
from typing import Any

import click

from loopstall.analysis.metrics import METRICS
from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.opening import open_option
from loopstall.errors import InputError, did_you_mean
from loopstall.records import Reading, Trend
from loopstall.records.cells import strategy_shown
from loopstall.records.files import write_text
from loopstall.records.units import counted
from loopstall.report import trend
from loopstall.report.opening import open_page
from loopstall.report.output import console, emit, say
from loopstall.results import store
from loopstall.results.history import History, Result, machine_of, trends

__all__ = ["command"]

_FILE = Path("loopstall-history.sqlite")
_METRICS = ("time_per_job",)
_FORMATS = ("terminal", "html", "csv", "otava")

_ADDING = (
    ("loopstall history add reports/BASE", "Add a result under the commit that it was measured at."),
    ("loopstall history add reports/BASE --commit v1.2", "Add it under another name."),
)
_SHOWING = (
    ("loopstall history show hashing", "Show how the time per job of one workload went over the commits."),
    ("loopstall history show --format html -o history.html --open", "Write all of them to a page, and show it."),
)
_GROUPS = {
    "What to show": ("strategy", "metric", "machine", "last", "path"),
    "Output": ("form", "output", "open_"),
}

_file = click.option(
    "--file", "path", type=click.Path(path_type=Path), default=_FILE, show_default=True, help="File of the history."
)


@click.group("history")
def command() -> None:
    """Keep results over commits, and see where a figure changed."""


@command.command("add", cls=HelpedCommand, examples=_ADDING)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--commit", help="Commit that was measured. [the one that the result names]")
@_file
def add(results: tuple[Path, ...], commit: str | None, path: Path) -> int:
    """Add results folders; of a gate's folder, its candidate. One that is there already is replaced."""
    with History(path, create=True) as history:
        for folder in results:
            gated = (folder / store.VERDICTS_FILE).is_file()
            found = store.load([folder / "candidate" if gated else folder])
            for warning in found.warnings:
                say(f"loopstall: {warning}", err=True)
            environment = next((run.environment for run in found.runs if run.environment is not None), None)
            shown = commit or (environment.commit if environment is not None else None) or ""
            begun = found.plan.created_at if found.plan is not None else min(run.started_at for run in found.runs)
            result = Result(
                name=folder.resolve().name,
                measured_at=_utc(begun),
                commit=shown,
                committed_at=_committed_at(shown),
                machine=machine_of(environment),
            )
            cells, replaced = history.add(result, found.runs)
            done = f"{'replaced' if replaced else 'added'} {folder}"
            say(f"{path}: {done}, {counted(cells, 'cell')}, commit {shown or 'unknown'}")
    return 0


@command.command("show", cls=HelpedCommand, examples=_SHOWING, groups=_GROUPS)
@click.argument("workloads", nargs=-1)
@click.option("-s", "--strategy", multiple=True, help="Only this strategy; may be repeated.")
@click.option("-m", "--metric", multiple=True, help="Figure to show; may be repeated. [time_per_job]")
@click.option("--machine", help="Only results of machines whose name contains this. [the machine of the last result]")
@click.option("--last", type=click.IntRange(1), help="Only the newest N results of each cell.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="terminal", show_default=True,
              help="Format to write.")  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write, for otava a folder. [the terminal]"
)
@open_option
@_file
def show(path: Path, **options: Any) -> int:
    """Show figures over commits and where they changed their level, of WORKLOADS or of all."""
    metrics = options["metric"]
    for name in metrics:
        if name not in METRICS:
            raise InputError(f"unknown metric {name!r}; {did_you_mean(name, METRICS)}")
    with History(path) as history:
        readings = history.readings()
    kept = _kept(readings, _of_machine(readings, options["machine"]), options["workloads"], options["strategy"])
    if not kept:
        raise InputError(f"{path} holds no result of these workloads, strategies and machine")
    output = options["output"]
    if options["form"] == "otava":
        if output is None:
            raise click.UsageError("otava writes a folder: give -o FOLDER")
        _write(output, trend.to_otava([item for item in kept if item.metric in (metrics or METRICS)]))
        return 0
    found = [item for name in metrics or _METRICS for item in trends(kept, metric=name, last=options["last"])]
    _shown(found, options["form"], output)
    if options["open_"]:
        open_page(output if options["form"] == "html" else None)
    return 0


def _shown(found: list[Trend], form: str, output: Path | None) -> None:
    if form == "terminal" and output is None:
        terminal = console()
        terminal.print(trend.trends_shown(found))
        for sentence in trend.sentences(found):
            terminal.print(sentence, soft_wrap=True)
        return
    if form == "html":
        from loopstall.report.page.html import trends_to_html  # jinja2 is for this format alone

        text = trends_to_html(found, title="History")
    else:
        text = trend.to_csv(found) if form == "csv" else trend.to_text(found)
    if output is None:
        emit(text)
    else:
        _write(output.parent, {output.name: text})


def _kept(
    readings: list[Reading], fits: Callable[[Reading], bool], workloads: tuple[str, ...], strategies: tuple[str, ...]
) -> list[Reading]:
    return [
        item
        for item in readings
        if fits(item)
        and (not workloads or item.row in workloads or item.row.partition("[")[0] in workloads)
        and (not strategies or item.strategy in map(strategy_shown, strategies))
    ]


def _of_machine(readings: list[Reading], machine: str | None) -> Callable[[Reading], bool]:
    if machine is not None:
        return lambda item: machine in item.machine
    newest = max(readings, key=lambda item: item.measured_at).machine if readings else ""
    others = {item.machine for item in readings} - {newest}
    if others:
        say(
            f"loopstall: results of {newest}; {counted(len(others), 'other machine')} left out, see --machine", err=True
        )
    return lambda item: item.machine == newest


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / name, text)
            say(str(folder / name))
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}; choose another -o") from error


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")


def _committed_at(commit: str) -> str:
    """Returns when a commit was made, where this checkout knows it."""
    clean = commit.removesuffix("-dirty")
    if not clean or clean.startswith("-"):
        return ""
    try:
        done = subprocess.run(
            ["git", "show", "-s", "--format=%cI", clean], capture_output=True, text=True, timeout=10, check=True
        )
        return _utc(done.stdout.strip())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
