"""``loopstall report``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from loopstall.analysis.content import Content, Digest, digest
from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.opening import open_option
from loopstall.records import Advice, Trend
from loopstall.records.dumps import ProcessDump
from loopstall.records.files import write_output
from loopstall.report.formats import FORMATS, dump_rendered, rendered, stalls_rendered
from loopstall.report.opening import open_page
from loopstall.report.output import emit, say
from loopstall.report.stall_document import Session
from loopstall.results.history import History, machine_of, trends
from loopstall.results.opened import Opened, opened
from loopstall.results.pages import write_index, write_page
from loopstall.runner.checkout import root_of

__all__ = ["command"]

_WITH_HISTORY = ("html", "terminal")
_GENERATOR, _HEAD_BYTES = b'name="generator" content="loopstall"', 1024
_EXAMPLES = (
    ("loopstall report stalls.json", "Write stalls.html, the page of what `watch -o stalls.json` saw."),
    ("loopstall report reports/<folder> --format markdown", "Print a result as Markdown, for a comment."),
)
_GROUPS = {
    "Output": ("form", "output", "open_"),
    "More in the report": ("past", "index"),
}


@click.command("report", cls=HelpedCommand, examples=_EXAMPLES, groups=_GROUPS)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="File to write; - for stdout. [a page: beside what was read; else stdout]")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True,
              help="Format to write.")  # fmt: skip
@click.option("--history", "past", type=click.Path(path_type=Path), help="History file, to show figures over commits.")
@click.option("--index", is_flag=True, help="Write the list of all results in the folder PATHS instead.")
@open_option
def command(paths: tuple[Path, ...], past: Path | None, **options: Any) -> int:
    """Show what another command has written: as a page, as text, or as data.

    PATHS are results folders of `run`, `gate` and `serve-bench`, a gate's verdicts, or the JSON of `report`,
    `watch -o`, `watch --json-lines`, `pytest --stall-report`, `advise -o` and `dump`.

    `html` is a self-contained page, `speedscope` and `trace` open in speedscope and Perfetto, `pyperf` is for
    `python -m pyperf`; `json` has a schema (docs/report.schema.json, docs/stalls.schema.json).
    """
    form, index = options["form"], options["index"]
    if index:
        page: Path | None = write_index(_one_folder(paths))
        say(str(page))
    else:
        if past is not None and form not in _WITH_HISTORY:
            raise click.UsageError(f"--history is shown in {' and '.join(_WITH_HISTORY)} only, not in {form}")
        found = opened(paths, root=root_of(Path.cwd()))
        if isinstance(found, Content):
            for warning in found.warnings:
                say(f"loopstall: {warning}", err=True)
        if past is not None:
            if not isinstance(found, Content):
                raise click.UsageError("--history is for results folders of run and gate, whose figures it has")
            found = replace(found, trends=_trends(past, found))
        page = _write(paths, found, form, options["output"])
    if options["open_"]:
        open_page(page)
    return 5 if not index and isinstance(found, Content) and not (found.runs or found.verdicts) else 0


def _write(paths: tuple[Path, ...], found: Opened, form: str, output: Path | None) -> Path | None:
    """Writes the report where it belongs, and returns its file if that is a page."""
    if form == "html" and output is None:
        if len(paths) > 1:
            raise click.UsageError("several results have no folder in common: give the file to write with -o")
        if paths[0].is_dir() and isinstance(found, Content):
            page = write_page(paths[0], digest(found))
            say(str(page))
            return page
        output = _beside(paths[0])
    text = _rendered(form, found)
    if output is None or str(output) == "-":
        emit(text)
        return None
    write_output(output, text)
    say(str(output))
    return output if form == "html" else None


def _rendered(form: str, found: Opened) -> str:
    if isinstance(found, Session):
        return stalls_rendered(form, found)
    if isinstance(found, ProcessDump):
        return dump_rendered(form, found)
    if isinstance(found, Advice):
        from loopstall.advice.rendered import rendered as advice_rendered  # for advice alone

        return advice_rendered(form, found)
    return rendered(form, found if isinstance(found, Digest) else digest(found))


def _beside(path: Path) -> Path:
    """Returns the page of a file: of the same name beside it, where that is free or a page of loopstall's.

    Raises:
        UsageError: it is somebody else's.
    """
    page = path.with_suffix(".html")
    if page.exists() and _GENERATOR not in page.read_bytes()[:_HEAD_BYTES]:
        raise click.UsageError(f"{page} is there already and not a page of loopstall's; give the file to write with -o")
    return page


def _one_folder(paths: tuple[Path, ...]) -> Path:
    if len(paths) != 1 or not paths[0].is_dir():
        raise click.UsageError("--index takes one folder: the one that holds the results folders")
    return paths[0]


def _trends(past: Path, content: Content) -> tuple[Trend, ...]:
    """Returns the time per job over commits of the cells of a content, on the machine that it was measured on."""
    environment = next((run.environment for run in content.runs if run.environment is not None), None)
    keys = {run.cell.key for run in content.runs}
    with History(past) as history:
        readings = [item for item in history.readings() if (item.row, item.strategy, item.load) in keys]
    here = [item for item in readings if item.machine == machine_of(environment)]
    return tuple(trends(here, metric="time_per_job"))
