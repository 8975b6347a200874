"""``loopstall gate``."""

from collections.abc import Callable, Sequence
import datetime as dt
import os
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from loopstall import __version__
from loopstall.analysis.content import digest
from loopstall.cli.against import OTHERS, Judged, against
from loopstall.cli.out import console, say
from loopstall.cli.outputs import FORMATS, Outputs
from loopstall.cli.pages import REPORTS, write_page
from loopstall.cli.plan import budgets_asked, make_plan, matrix_options
from loopstall.cli.progress import shown, tell_limit
from loopstall.cli.settings import SettingsCommand, by_workload
from loopstall.cli.types import MINUTES, SHARE
from loopstall.errors import InputError
from loopstall.gate import ACCEPTED_FILE, accepted, schedule
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import judge
from loopstall.records import Cell, Pair, Plan, Verdict
from loopstall.report.text import printable
from loopstall.results import store
from loopstall.results.content import content_of
from loopstall.runner import environment
from loopstall.runner.checkout import Checkout, clean
from loopstall.runner.launcher import Launcher
from loopstall.runner.paired import BURST_S, PairedRunner
from loopstall.runner.schedule import run_seed
from loopstall.runner.side import Side
from loopstall.runner.single import Limits

__all__ = ["command"]

_ROUNDS, _CONFIRM, _TURNS = 8, 24, 16
_QUICK_ROUNDS, _QUICK_CONFIRM = 4, 16


_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)
_PROGRAM = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("gate", cls=SettingsCommand, table="gate", left_out=("workloads", "clean_up", "form", "output"))
@matrix_options
@click.option("--baseline", metavar="REV", help="Revision to compare with. [last one that the default branch has too]")
@click.option("--baseline-path", type=_FOLDER, help="Folder of code to compare with, instead of a revision.")
@click.option("--candidate-path", type=_FOLDER, help="Folder of the code that is judged.")
@click.option("--baseline-python", type=_PROGRAM, help="Interpreter to compare with.")
@click.option("--candidate-python", type=_PROGRAM, help="Interpreter that is judged.")
@click.option(
    "--against",
    "stored",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Stored result to compare with, measured earlier: say --candidate-results too to measure nothing.",
)
@click.option(
    "--candidate-results",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Stored result that is judged, with --against.",
)
@click.option("--rounds", type=click.IntRange(1, 1_000), help=f"Pairs a cell that screen. [{_ROUNDS}]")
@click.option("--confirm", type=click.IntRange(1, 1_000), help=f"Pairs more of what looks worse. [{_CONFIRM}]")
@click.option("--turns", type=click.IntRange(1, 1_000), default=_TURNS, show_default=True, help="Bursts in a pair.")
@click.option("--quick", is_flag=True, help=f"{_QUICK_ROUNDS} pairs that screen, {_QUICK_CONFIRM} more.")
@click.option("--effect", type=SHARE, default="2%", show_default=True, help="The least change that counts.")
@click.option("--alpha", type=SHARE, default="1%", show_default=True, help="Chance of a false alarm in all cells.")
@click.option("--max-minutes", type=MINUTES, help="Stop measuring after this long; a bare number is of minutes.")
@click.option(
    "--inconclusive",
    type=click.Choice(["fail", "pass"]),
    default="fail",
    show_default=True,
    help="Whether inconclusive cells exit with 5.",
)
@click.option("--accepted", "accepted_file", type=click.Path(path_type=Path), default=ACCEPTED_FILE,
              show_default=True, help="File of accepted regressions.")  # fmt: skip
@click.option(
    "--format", "form", multiple=True, type=click.Choice(FORMATS), help="Repeat, each with its -o. [terminal]"
)
@click.option("-o", "--output", multiple=True, help="File of the format before it; - for stdout.")
@click.option("--results", type=click.Path(path_type=Path), help="Results folder. [reports/<time>-gate]")
@click.option("--clean", "clean_up", is_flag=True, help="Remove the worktrees and environments of earlier gates.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Compare a candidate with a baseline, side by side on this machine, and fail on a confirmed regression.

    The two sides are two folders of code, two interpreters, or a revision and the working tree. Every cell is measured
    in pairs of fresh processes that take turns; what looks worse is measured again before it counts.

    WORKLOADS are names (see `loopstall list`) or paths of workload files. For none, those of the folder workloads/
    here; where it has none, the bundled ones.
    """
    if options["clean_up"]:
        removed = clean()
        say(f"removed {removed}" if removed is not None else "there was nothing to remove")
        return 0
    outputs = Outputs(options["form"], options["output"], inconclusive_fails=options["inconclusive"] == "fail")
    entries = accepted.read(options["accepted_file"], required=_asked(ctx, "accepted_file"))
    rules = _rules(ctx, options)
    progress = console(err=True)
    judging = _stored if options["stored"] is not None else _by_turns
    judged = judging(ctx, options, rules, progress)
    verdicts = accepted.apply(judged.verdicts, entries, today=dt.date.today())  # noqa: DTZ011  # local
    try:
        if judged.folder is not None:
            store.save_verdicts(judged.folder, verdicts)
    finally:  # what was measured is told, whether it can be saved or not
        page = _page(judged.folder) if judged.folder is not None and verdicts else ()
        outputs.write(verdicts, judged.skipped, notes=(*judged.notes, *page))
    return _status(verdicts, passes=options["inconclusive"] == "pass") if verdicts else 5


def _page(folder: Path) -> tuple[str, ...]:
    """Writes the page, and the list of all results where they lie in the usual place; returns what to say of it."""
    try:
        path = write_page(folder, digest(content_of((folder,))))
    except InputError as error:
        return (f"there is no page: {error}",)
    return (f"Page: {path}",)


def _folder(options: dict[str, Any]) -> Path:
    folder: Path = options["results"] or store.new_folder(REPORTS, "gate", dt.datetime.now())  # noqa: DTZ005  # local
    return folder


def _stored(ctx: click.Context, options: dict[str, Any], rules: Criteria, progress: Console) -> Judged:
    """Judges against a stored baseline."""
    for name in OTHERS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--against and --{name.replace('_', '-')} exclude each other")
    return against(options["stored"], options, rules, folder=lambda: _folder(options), progress=progress)


def _by_turns(_ctx: click.Context, options: dict[str, Any], rules: Criteria, progress: Console) -> Judged:
    """Measures two sides in pairs and judges them."""
    if os.name != "posix":
        raise InputError("loopstall gate needs pipes that this system does not hand on; use gate --against")
    if options["alpha"] <= 0:
        raise click.UsageError("--alpha is the chance of a false alarm and has to be over 0, 1% for instance")
    if options["candidate_results"] is not None:
        raise click.UsageError("--candidate-results goes with --against")
    sides = _sides(options, lambda text: progress.print(f"loopstall: {printable(text)}", soft_wrap=True))
    for side in sides:
        _check(side)
    sys.path[:0] = sides[1].folders  # workload files come from the candidate's side and import its code
    seconds = BURST_S * options["turns"]
    plan = make_plan({**options, "jobs": None, "seconds": seconds}, name="gate", processes=rules.rounds)
    if not plan.cells:
        return Judged(skipped=plan.skipped)
    folder = _folder(options)
    with Launcher() as launcher:
        paired_runner = PairedRunner(launcher, environment.describe(), Limits.of(plan), sides, turns=options["turns"])
        measured = _measure(
            plan, rules, paired_runner, folder=folder, limit_s=options["max_minutes"], progress=progress
        )
    note = f"{sides[1].name} against {sides[0].name}, measured in turns; results: {folder}"
    return Judged(verdicts=judge(measured, rules), skipped=plan.skipped, notes=(note,), folder=folder)


def _asked(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) in {ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP}


def _rules(ctx: click.Context, options: dict[str, Any]) -> Criteria:
    quick = options["quick"]
    budgets = budgets_asked(options)
    effects: dict[str, float] = {}
    for name, table in by_workload(Path.cwd()).items():
        if "effect" in table:
            try:
                effects[name] = SHARE.convert(table["effect"], None, None)
            except click.BadParameter as error:
                raise InputError(f"[tool.loopstall.workload.{name}]: {error.message}") from error
    return Criteria(
        effect=options["effect"],
        effects=effects,
        alpha=options["alpha"],
        rounds=options["rounds"] or (_QUICK_ROUNDS if quick else _ROUNDS),
        confirm=options["confirm"] or (_QUICK_CONFIRM if quick else _CONFIRM),
        budget=budgets.common,
        budgets=budgets.own,
        limited=_asked(ctx, "budget") or _asked(ctx, "availability"),
    )


def _sides(options: dict[str, Any], say: Callable[[str], object]) -> tuple[Side, Side]:
    """Returns baseline and candidate as the options have them."""
    explicit = [(options[f"{name}_path"], options[f"{name}_python"]) for name in ("baseline", "candidate")]
    if not any(path or python for path, python in explicit):
        checkout = Checkout.find(Path.cwd(), say)
        return checkout.baseline(checkout.resolve(options["baseline"])), checkout.candidate()
    if options["baseline"] is not None:
        raise click.UsageError("--baseline REV and --baseline-path or --baseline-python exclude each other")
    sides: list[Side] = []
    for name, (path, python) in zip(("baseline", "candidate"), explicit, strict=True):
        if not (path or python):
            raise click.UsageError(f"the {name} is missing: say --{name}-path or --{name}-python as for the other side")
        label = " with ".join(str(part) for part in (path, python) if part)
        program = str(python or sys.executable)
        sides.append(Side.of_folder(label, path, program) if path else Side(name=label, python=program))
    return sides[0], sides[1]


def _check(side: Side) -> None:
    """Sees to it that a side can measure."""
    code = "import loopstall, loopstall.harness; print(loopstall.__version__)"
    try:
        done = subprocess.run(
            [*side.command, "-c", code], env=side.environment(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InputError(f"cannot run {side.python}: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InputError(f"{side.python} of {side.name} cannot import loopstall ({last}); install it there: "
                         f"{side.python} -m pip install loopstall=={__version__}")  # fmt: skip


def _measure(
    plan: Plan,
    rules: Criteria,
    paired_runner: PairedRunner,
    *,
    folder: Path,
    limit_s: float | None,
    progress: Console,
) -> list[PairedSample]:
    targets = [store.Store(folder / name) for name in ("baseline", "candidate")]
    for target in targets:
        target.begin(plan)
    deadline = time.monotonic() + limit_s if limit_s else None
    count = 0
    tell_limit(progress, limit_s)
    with shown(progress, what="pairs") as bar:

        def pair(cell: Cell, index: int) -> Pair:
            nonlocal count
            measured = paired_runner.measure((cell, cell), index=index, seed=run_seed(plan, index))
            for target, run in zip(targets, (measured.base, measured.head), strict=True):
                target.save(run)
            count += 1
            bar.advance(f"{cell.row} {cell.strategy}")
            return measured

        try:
            return schedule.measure(
                plan.cells,
                rules,
                seed=plan.seed,
                pair=pair,
                out_of_time=lambda: deadline is not None and time.monotonic() > deadline,
                planned=bar.expect,
            )
        except KeyboardInterrupt:
            progress.print(f"Interrupted: {count} pairs are saved in {printable(str(folder))}", soft_wrap=True)
            raise


def _status(verdicts: Sequence[Verdict], *, passes: bool) -> int:
    words = {item.verdict for item in verdicts if not item.accepted}
    if "failed" in words:
        return 3
    if "regressed" in words:
        return 1
    if "inconclusive" in words and not passes:
        return 5
    return 0
