"""``loopstall compare``."""

from collections import Counter
from collections.abc import Sequence
import os
from pathlib import Path
import shlex

import click

from loopstall.analysis.compare import NOISE_THRESHOLD, Figures, compare
from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.types import SHARE
from loopstall.gate.unpaired import noise_between
from loopstall.records import Comparison
from loopstall.records.files import write_output
from loopstall.report.compared import comparisons_shown
from loopstall.report.output import console, say
from loopstall.report.text import printable
from loopstall.results import stored
from loopstall.stats.ratio import MIN_RUNS

__all__ = ["command"]

_NAMED = 2
"""So many cells are named; more are counted."""

_PAGES = (".html", ".htm")

_WORDS = ("regressed", "failed", "improved", "inconclusive", "ok", "added", "removed")


_EXAMPLES = (
    ("loopstall compare reports/BASE reports/HEAD", "Show what changed between two results."),
    ("loopstall compare before.json after.json", "Compare two files of pyperf or pytest-benchmark."),
)


@click.command("compare", cls=HelpedCommand, examples=_EXAMPLES)
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option(
    "--noise",
    type=SHARE,
    default=str(NOISE_THRESHOLD),
    show_default=True,
    help="Smallest change that counts, in percentage points for the availability.",
)
@click.option("--all", "everything", is_flag=True, help="Also show the cells in which nothing changed.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Page to write, with the distribution of each figure; it ends in .html.",
)
def command(base: Path, head: Path, noise: float, everything: bool, output: Path | None) -> int:  # noqa: FBT001
    """Compare two results cell by cell: the change from BASE to HEAD with its 95% bootstrap interval over runs.

    Either side is a results folder, a JSON file of pyperf's or pytest-benchmark's, or a folder of such files, each of
    one process. Exit 1 where a cell got worse beyond its interval and the noise threshold, 5 where a cell has too few
    runs to tell, 3 where one holds a failure.
    """
    if output is not None and output.suffix.lower() not in _PAGES:
        raise click.UsageError(f"-o writes a page, and {output} does not end in {' or '.join(_PAGES)}")
    sides = [stored.read(path) for path in (base, head)]
    for warning in (text for side in sides for text in side.warnings):
        say(f"loopstall: {warning}", err=True)
    one, other = sides
    found = noise_between(one.figures, other.figures, (one.environment, other.environment), least=noise)
    compared = compare(one.figures, other.figures, noise=found.threshold)
    terminal = console()
    undecided = [item for item in compared if item.verdict == "inconclusive"]
    shown = [item for item in compared if item not in undecided and (everything or item.verdict != "ok")]
    terminal.print(comparisons_shown(shown))
    for text in _reasons(undecided, [item for side in sides for item in side.figures if item.scarce]):
        terminal.print(printable(text), style="yellow", soft_wrap=True)
    counts = Counter(item.verdict for item in compared)
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]) or "nothing to compare"
    terminal.print(f"{printable(f'{base} → {head}')}: {said} (one line per cell and metric).", soft_wrap=True)
    for note in found.notes if compared else ():
        terminal.print(printable(note), style="dim", soft_wrap=True)
    if output is not None:
        from loopstall.report.page.compare_page import Compared, to_page  # for those who ask for a page

        made = Compared(
            names=(str(base), str(head)), sides=(one.figures, other.figures), comparisons=compared, notes=found.notes
        )
        write_output(output, to_page(made))
        say(str(output))
    return _status(compared)


def _reasons(undecided: Sequence[Comparison], scarce: Sequence[Figures]) -> list[str]:
    """Says why cells are inconclusive, a line a reason, and what to measure."""
    cells: dict[str, dict[str, None]] = {}
    for item in undecided:
        cells.setdefault(item.rule, {})[f"{item.row} · {item.strategy}"] = None
    short = {f"{item.row} · {item.strategy}" for item in scarce}
    said = []
    for rule, names in cells.items():
        who = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} cells"
        said.append(f"Inconclusive, {who}: {rule}.{'' if short.isdisjoint(names) else f' {_remedy(scarce)}'}")
    return said


def _remedy(scarce: Sequence[Figures]) -> str:
    files = [item.cell.workload for item in scarce if item.cell is not None]
    if not files:
        return f"Measure each side in {MIN_RUNS} processes, a file of pytest-benchmark being one."
    words = dict.fromkeys(
        item.name if Path(item.path).parent.name == "workloads" else os.path.relpath(item.path) for item in files
    )
    return f"Measure both sides again with: loopstall run {shlex.join(words)} --processes {MIN_RUNS}"


def _status(compared: list[Comparison]) -> int:
    verdicts = {item.verdict for item in compared}
    undecided = {
        item.row
        for item in compared
        if item.metric in {"time_per_job", "availability", ""} and item.verdict == "inconclusive"
    }
    if "failed" in verdicts:
        return 3
    if "regressed" in verdicts:
        return 1
    return 5 if undecided or not verdicts - {"added", "removed"} else 0
