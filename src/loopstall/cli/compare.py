"""``loopstall compare``."""

from collections import Counter
from pathlib import Path

import click
from rich.console import Console

from loopstall import store
from loopstall.cli.types import SHARE
from loopstall.gate.compare import NOISE_THRESHOLD, compare
from loopstall.records import Comparison
from loopstall.report.terminal import comparison_table
from loopstall.report.text import printable

__all__ = ["command"]

_WORDS = ("regressed", "failed", "improved", "inconclusive", "ok", "added", "removed")


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--noise", type=SHARE, default=str(NOISE_THRESHOLD), show_default=True, help="Least change that counts.")
@click.option("--all", "everything", is_flag=True, help="Show the cells in which nothing changed as well.")
def command(base: Path, head: Path, noise: float, everything: bool) -> int:  # noqa: FBT001
    """Compare two results cell by cell: the ratio HEAD / BASE with its 95% bootstrap interval over runs.

    Exit 1 where a cell got worse beyond its interval and the noise threshold, 5 where a cell has too few runs to
    tell, 3 where one holds a failure.
    """
    sides = [store.load([path]) for path in (base, head)]
    for side in sides:
        for warning in side.warnings:
            click.echo(f"loopstall: {warning}", err=True)
    compared = compare(sides[0].runs, sides[1].runs, noise=noise)
    console = Console(highlight=False)
    shown = [item for item in compared if everything or item.verdict != "ok"]
    if shown:
        console.print(comparison_table(shown))
    counts = Counter(item.verdict for item in compared)
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]) or "nothing to compare"
    console.print(f"{printable(f'{base} → {head}')}: {said} (a line a cell and metric).", soft_wrap=True)
    if compared:
        console.print(
            f"Measured apart, one side after the other: what is under {noise:.0%} is noise, and a drift of the"
            " machine can look like a change.",
            style="dim",
            soft_wrap=True,
        )
    return _status(compared)


def _status(compared: list[Comparison]) -> int:
    verdicts = {item.verdict for item in compared}
    undecided = {item.row for item in compared if item.metric == "time_per_job" and item.verdict == "inconclusive"}
    if "failed" in verdicts:
        return 3
    if "regressed" in verdicts:
        return 1
    return 5 if undecided or not verdicts - {"added", "removed"} else 0
