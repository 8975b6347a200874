"""``loopstall report``."""

from dataclasses import replace
from pathlib import Path

import click

from loopstall.analysis.content import Content, digest
from loopstall.files import write_output
from loopstall.records import Trend
from loopstall.report.formats import FORMATS, rendered
from loopstall.report.output import emit, say
from loopstall.results.content import content_of
from loopstall.results.history import History, machine_of, trends
from loopstall.results.pages import write_index, write_page
from loopstall.runner.checkout import root_of

__all__ = ["command"]

_WITH_HISTORY = ("html", "terminal")


@click.command("report")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write. [html: index.html; else stdout]")
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True,
              help="What to write.")  # fmt: skip
@click.option("--history", "past", type=click.Path(path_type=Path), help="History file, to show figures over commits.")
@click.option("--index", is_flag=True, help="Write the list of all results in the folder PATHS instead.")
def command(paths: tuple[Path, ...], output: Path | None, form: str, past: Path | None, index: bool) -> int:  # noqa: FBT001
    """Write a report of results folders, of a gate's folder, or of single files of runs.

    `html` is a self-contained page, `speedscope` and `trace` open in speedscope and Perfetto, `pyperf` is for
    `python -m pyperf`; `json` has a schema (docs/report.schema.json).
    """
    if index:
        say(str(write_index(_one_folder(paths))))
        return 0
    if past is not None and form not in _WITH_HISTORY:
        raise click.UsageError(f"--history is shown in {' and '.join(_WITH_HISTORY)}, and {form} has no place for it")
    content = content_of(paths, root=root_of(Path.cwd()))
    if past is not None:
        content = replace(content, trends=_trends(past, content))
    for warning in content.warnings:
        say(f"loopstall: {warning}", err=True)
    if form == "html" and output is None:
        if len(paths) > 1 or not paths[0].is_dir():
            raise click.UsageError("say with -o which file to write")
        say(str(write_page(paths[0], digest(content))))
    else:
        text = rendered(form, digest(content))
        if output is None or str(output) == "-":
            emit(text)
        else:
            write_output(output, text)
            say(str(output))
    return 0 if content.runs else 5


def _one_folder(paths: tuple[Path, ...]) -> Path:
    if len(paths) != 1 or not paths[0].is_dir():
        raise click.UsageError("--index wants one folder, that of the results folders")
    return paths[0]


def _trends(past: Path, content: Content) -> tuple[Trend, ...]:
    """Returns the time per job over commits of the cells of a content, on the machine that it was measured on."""
    environment = next((run.environment for run in content.runs if run.environment is not None), None)
    keys = {run.cell.key for run in content.runs}
    with History(past) as history:
        readings = [item for item in history.readings() if (item.row, item.strategy, item.load) in keys]
    here = [item for item in readings if item.machine == machine_of(environment)]
    return tuple(trends(here, metric="time_per_job"))
