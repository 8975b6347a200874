"""The options of `gate` alone, and the groups and examples of its help."""

from pathlib import Path

import click

from loopstall.cli.options.opening import open_option
from loopstall.cli.options.plan import BROKERS, BUDGETS, LIMITS, LOAD, MATRIX, with_options
from loopstall.cli.options.types import MINUTES, SHARE
from loopstall.gate import ACCEPTED_FILE
from loopstall.gate.criteria import Criteria
from loopstall.results.outputs import FORMATS

__all__ = ["EXAMPLES", "GROUPS", "OF_THE_SIDES", "gate_options"]

_ROUNDS, _CONFIRM, _TURNS = Criteria().rounds, Criteria().confirm, 16
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)
_PROGRAM = click.Path(path_type=Path, exists=True, dir_okay=False)

OF_THE_SIDES = ("baseline", "baseline_path", "candidate_path", "baseline_python", "candidate_python")
"""The names of the options that say what the sides are."""

EXAMPLES = (
    ("loopstall gate", "Compare the working tree, with what is not committed, with the default branch."),
    ("loopstall gate --baseline v1.2 --format markdown -o gate.md", "Compare with a revision; write the verdict."),
)
GROUPS = {
    "Two sides": OF_THE_SIDES,
    "Stored results instead": ("stored", "candidate_results"),
    "What to measure": MATRIX,
    "Load": LOAD,
    "How much to measure": ("quick", "rounds", "confirm", "turns", "max_minutes"),
    "How to decide": ("effect", "alpha", "inconclusive", "accepted_file", *BUDGETS),
    "Limits of each run": (*LIMITS, *BROKERS),
    "Output": ("form", "output", "results", "resume", "open_", "clean_up"),
}

gate_options = with_options(
    click.option(
        "--baseline", metavar="REV", help="Revision to compare with. [last one that the default branch has too]"
    ),
    click.option("--baseline-path", type=_FOLDER, help="Folder of code to compare with, instead of a revision."),
    click.option("--candidate-path", type=_FOLDER, help="Folder of the code to judge."),
    click.option("--baseline-python", type=_PROGRAM, help="Interpreter to compare with."),
    click.option("--candidate-python", type=_PROGRAM, help="Interpreter to judge."),
    click.option(
        "--against",
        "stored",
        type=click.Path(path_type=Path, exists=True),
        metavar="FILE",
        help="Stored result to compare with; with --candidate-results nothing is measured.",
    ),
    click.option(
        "--candidate-results",
        type=click.Path(path_type=Path, exists=True),
        metavar="FILE",
        help="Stored result to judge, with --against.",
    ),
    click.option("--rounds", type=click.IntRange(1, 1_000), help=f"Pairs per cell in the first round. [{_ROUNDS}]"),
    click.option(
        "--confirm",
        type=click.IntRange(1, 1_000),
        help=f"Further pairs for each cell that looks worse. [{_CONFIRM}]",
    ),
    click.option(
        "--turns",
        type=click.IntRange(1, 1_000),
        default=_TURNS,
        show_default=True,
        help="Bursts of jobs that each side runs in a pair.",
    ),
    click.option("--quick", is_flag=True, help="Find large changes only: fewer pairs, a minute and 6 s per cell."),
    click.option("--effect", type=SHARE, default="2%", show_default=True, help="Smallest change that counts."),
    click.option(
        "--alpha",
        type=SHARE,
        default="1%",
        show_default=True,
        help="Probability of a false alarm, over all cells together.",
    ),
    click.option("--max-minutes", type=MINUTES, help="Stop measuring after this long; a bare number is minutes."),
    click.option(
        "--inconclusive",
        type=click.Choice(["fail", "pass"]),
        default="fail",
        show_default=True,
        help="Whether an inconclusive cell ends the gate with exit code 5.",
    ),
    click.option(
        "--accepted",
        "accepted_file",
        type=click.Path(path_type=Path),
        default=ACCEPTED_FILE,
        show_default=True,
        help="File of accepted regressions.",
    ),
    click.option(
        "--format",
        "form",
        multiple=True,
        type=click.Choice(FORMATS),
        help="Format of the verdicts; may be repeated, each with its -o. [terminal]",
    ),
    click.option("-o", "--output", multiple=True, help="File for the --format before it; - for stdout."),
    click.option(
        "--resume", type=_FOLDER, metavar="FOLDER", help="Complete an interrupted gate, by its results folder."
    ),
    click.option("--results", type=click.Path(path_type=Path), help="Folder of the results. [reports/<time>-gate]"),
    click.option(
        "--clean",
        "clean_up",
        is_flag=True,
        help="Remove what earlier gates have checked out and built, and end.",
    ),
    open_option,
)
"""Adds them, with the one that shows the page."""
