"""``loopstall compare``."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from loopstall import foreign, store
from loopstall.cli.types import SHARE
from loopstall.errors import InputError
from loopstall.gate.compare import NOISE_THRESHOLD, Figures, compare, differing, figures_of, noise_of_controls
from loopstall.records import Comparison, Environment
from loopstall.report.terminal import comparison_table
from loopstall.report.text import printable

__all__ = ["command"]

_WORDS = ("regressed", "failed", "improved", "inconclusive", "ok", "added", "removed")
_MARGIN = 2.0
"""What control cells differ by is one draw of the noise; others may well differ by twice that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    figures: list[Figures]
    environment: Environment | None


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--noise", type=SHARE, default=str(NOISE_THRESHOLD), show_default=True, help="Least change that counts.")
@click.option("--all", "everything", is_flag=True, help="Show the cells in which nothing changed as well.")
def command(base: Path, head: Path, noise: float, everything: bool) -> int:  # noqa: FBT001
    """Compare two results cell by cell: the ratio HEAD / BASE with its 95% bootstrap interval over runs.

    Either side is a results folder, a JSON file of pyperf's or pytest-benchmark's, or a folder of such files, each of
    one process. Exit 1 where a cell got worse beyond its interval and the noise threshold, 5 where a cell has too few
    runs to tell, 3 where one holds a failure.
    """
    sides = [_read(path) for path in (base, head)]
    controls = noise_of_controls(sides[0].figures, sides[1].figures)
    threshold = max(noise, _MARGIN * controls)
    compared = compare(sides[0].figures, sides[1].figures, noise=threshold)
    console = Console(highlight=False)
    shown = [item for item in compared if everything or item.verdict != "ok"]
    if shown:
        console.print(comparison_table(shown))
    counts = Counter(item.verdict for item in compared)
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]) or "nothing to compare"
    console.print(f"{printable(f'{base} → {head}')}: {said} (a line a cell and metric).", soft_wrap=True)
    notes = []
    if compared:
        notes.append(
            f"Measured apart, one side after the other: what is under {threshold:.0%} is noise, and a drift of the"
            " machine can look like a change; loopstall gate measures both sides by turns."
        )
    if threshold > noise:
        notes.append(f"The control cells, whose work is the same, differ by {controls:.0%}: the threshold is wider.")
    different = differing(sides[0].environment, sides[1].environment)
    if different:
        notes.append(f"The machines differ: {', '.join(different)}; a change may be theirs.")
    for note in notes:
        console.print(printable(note), style="dim", soft_wrap=True)
    return _status(compared)


def _read(path: Path) -> _Side:
    """Reads a side, whoever wrote it."""
    if path.is_file() or (path.is_dir() and not (path / store.PLAN_FILE).is_file()):
        figures = foreign.read(path)
        if figures is not None:
            return _Side(figures=figures, environment=None)
    elif not path.exists():
        raise InputError(f"{path} does not exist")
    results = store.load([path])
    for warning in results.warnings:
        click.echo(f"loopstall: {warning}", err=True)
    environment = next((run.environment for run in results.runs if run.environment is not None), None)
    return _Side(figures=figures_of(results.runs), environment=environment)


def _status(compared: list[Comparison]) -> int:
    verdicts = {item.verdict for item in compared}
    undecided = {
        item.row for item in compared if item.metric in {"time_per_job", ""} and item.verdict == "inconclusive"
    }
    if "failed" in verdicts:
        return 3
    if "regressed" in verdicts:
        return 1
    return 5 if undecided or not verdicts - {"added", "removed"} else 0
