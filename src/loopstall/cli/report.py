"""``loopstall report``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from loopstall import store
from loopstall.errors import InputError
from loopstall.gate.policy import Budget
from loopstall.history import History, machine_of, trends
from loopstall.records import Trend
from loopstall.report.content import Content

__all__ = ["command", "content_of"]


def _html(content: Content) -> str:
    from loopstall.report.html import to_html  # noqa: PLC0415  # jinja2 is for this format alone

    return to_html(content)


def _pyperf(content: Content) -> str:
    from loopstall.report.pyperf_json import to_pyperf  # noqa: PLC0415  # an extra

    return to_pyperf(content.runs)


_FORMATS: dict[str, Callable[[Content], str]] = {"html": _html, "pyperf": _pyperf}


@click.command("report")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write. [index.html in the folder]")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="html", show_default=True)
@click.option("--history", "past", type=click.Path(path_type=Path), help="History file, to show figures over commits.")
def command(paths: tuple[Path, ...], output: Path | None, form: str, past: Path | None) -> int:
    """Write a report of results folders, of a gate's folder, or of single files of runs."""
    content = content_of(paths)
    if past is not None:
        content = replace(content, trends=_trends(past, content))
    for warning in content.warnings:
        click.echo(f"loopstall: {warning}", err=True)
    if output is None:
        if form != "html" or len(paths) > 1 or not paths[0].is_dir():
            raise click.UsageError("say with -o which file to write")
        output = paths[0] / "index.html"
    text = _FORMATS[form](content)
    try:
        store.write_text(output, text)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}; choose another file with -o") from error
    click.echo(str(output))
    return 0 if content.runs else 5


def content_of(paths: tuple[Path, ...]) -> Content:
    """Reads what a report is made from: results folders, files of runs, or one folder of a gate.

    Raises:
        InputError: nothing can be read there.
    """
    folder = paths[0]
    gated = len(paths) == 1 and (folder / store.VERDICTS_FILE).is_file()
    found = store.load([folder / "candidate"] if gated else paths)
    other = store.load([folder / "baseline"]) if gated and (folder / "baseline").is_dir() else None
    plan = found.plan if len(paths) == 1 else None
    return Content(
        title=folder.resolve().name if len(paths) == 1 else f"{len(paths)} results",
        runs=found.runs,
        plan=plan,
        budget=Budget(stall_ns=plan.budget_stall_ns, availability=plan.budget_availability) if plan else Budget(),
        warnings=(*found.warnings, *(other.warnings if other else ())),
        verdicts=store.read_verdicts(folder) if gated else (),
        baselines=other.runs if other else (),
    )


def _trends(past: Path, content: Content) -> tuple[Trend, ...]:
    """Returns the time per job over commits of the cells of a content, on the machine that it was measured on."""
    environment = next((run.environment for run in content.runs if run.environment is not None), None)
    keys = {run.cell.key for run in content.runs}
    with History(past) as history:
        readings = [item for item in history.readings() if (item.row, item.strategy, item.load) in keys]
    here = [item for item in readings if item.machine == machine_of(environment)]
    return tuple(trends(here, metric="time_per_job"))
