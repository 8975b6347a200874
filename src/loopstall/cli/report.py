"""``loopstall report``."""

from pathlib import Path

import click

from loopstall import store
from loopstall.errors import InputError
from loopstall.gate.policy import Budget

__all__ = ["command"]


@click.command("report")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write. [index.html in the folder]")
@click.option("--format", "form", type=click.Choice(["html", "pyperf"]), default="html", show_default=True)
def command(paths: tuple[Path, ...], output: Path | None, form: str) -> int:
    """Write a report of results folders, or of single files of runs.

    `html` is a self-contained page; `pyperf` a file for `python -m pyperf compare_to` and `stats`.
    """
    found = store.load(paths)
    for warning in found.warnings:
        click.echo(f"loopstall: {warning}", err=True)
    if output is None:
        if form != "html" or len(paths) > 1 or not paths[0].is_dir():
            raise click.UsageError("say with -o which file to write")
        output = paths[0] / "index.html"
    if form == "pyperf":
        from loopstall.report.pyperf_json import to_pyperf  # noqa: PLC0415  # an extra

        text = to_pyperf(found.runs)
    else:
        from loopstall.report.html import to_html  # noqa: PLC0415  # jinja2 is for this format alone

        plan = found.plan if len(paths) == 1 else None
        budget = Budget()
        if plan is not None:
            budget = Budget(stall_ns=plan.budget_stall_ns, availability=plan.budget_availability)
        title = paths[0].resolve().name if len(paths) == 1 else f"{len(paths)} results"
        text = to_html(found.runs, title=title, plan=plan, budget=budget, warnings=found.warnings)
    try:
        store.write_text(output, text)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}; choose another file with -o") from error
    click.echo(str(output))
    return 0 if found.runs else 5
