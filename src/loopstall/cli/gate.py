"""``loopstall gate``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import datetime as dt
import os
from pathlib import Path
import shlex
import signal
import sys
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from loopstall.analysis.content import digest
from loopstall.cli.options.gate import EXAMPLES, GROUPS, OF_THE_SIDES, gate_options
from loopstall.cli.options.plan import budgets_asked, make_plan, matrix_options
from loopstall.cli.options.settings import SettingsCommand, by_workload
from loopstall.cli.options.sides import sides_of
from loopstall.cli.options.types import SHARE
from loopstall.errors import InputError, Terminated
from loopstall.gate import accepted
from loopstall.gate.criteria import QUICK_CONFIRM, QUICK_DOUBT, QUICK_ROUNDS, Criteria
from loopstall.gate.paired import judge
from loopstall.records import BROKEN, UNCOMPARED, Cell, Pair, Plan, Verdict
from loopstall.records.units import counted
from loopstall.report.opening import open_page
from loopstall.report.output import console, say
from loopstall.report.text import printable
from loopstall.results import store
from loopstall.results.content import content_of
from loopstall.results.outputs import Outputs
from loopstall.results.pages import REPORTS, write_page
from loopstall.runner import environment, paired_session
from loopstall.runner.checkout import clean, root_of
from loopstall.runner.inventory import Matched, match
from loopstall.runner.launcher import Launcher
from loopstall.runner.paired import BURST_S, PairedRunner
from loopstall.runner.proof import Proof
from loopstall.runner.side import Sides
from loopstall.runner.single import Limits
from loopstall.runner.stored_session import OTHERS, Judged, against
from loopstall.workloads import places
from loopstall.workloads.loader import discover

__all__ = ["command"]

_WITH_RESUME = ("resume", "form", "output", "inconclusive", "accepted_file", "max_minutes", "open_")


@click.command(
    "gate", cls=SettingsCommand, table="gate", examples=EXAMPLES, groups=GROUPS,
    left_out=("workloads", "clean_up", "form", "output", "resume", "open_"),
)  # fmt: skip
@matrix_options
@gate_options
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Compare a candidate with a baseline, side by side on this machine, and fail on a confirmed regression.

    The two sides are two folders of code, two interpreters, or a revision and the working tree. Every cell is measured
    in pairs of fresh processes that take turns; what looks worse is measured until it is certain.

    WORKLOADS are names (see `loopstall list`) or paths of workload files. Without any, they are those of the
    folder workloads/ here; without such a folder, the bundled ones. They
    may name servers as well (see `loopstall serve-bench --list`), whose heavy requests do the others' work.
    """
    if options["clean_up"]:
        removed = clean()
        say(f"removed {removed}" if removed is not None else "there was nothing to remove")
        return 0
    outputs = _outputs(options)
    entries = accepted.read(options["accepted_file"], required=_asked(ctx, "accepted_file"))
    progress = console(err=True)
    if options["resume"] is not None:
        judged = _resumed(ctx, options, progress)
    elif options["stored"] is not None:
        judged = _stored(ctx, options, _rules(ctx, options), progress)
    else:
        judged = _by_turns(options, _rules(ctx, options), progress)
    if judged.uncompared:
        say(f"loopstall: nothing was compared: {judged.uncompared}", err=True)
    verdicts = accepted.apply(judged.verdicts, entries, today=dt.date.today())  # noqa: DTZ011  # local
    try:
        if judged.folder is not None:
            store.save_verdicts(judged.folder, verdicts)
    finally:  # what was measured is told, whether it can be saved or not
        page, said = _page(judged.folder) if judged.folder is not None and verdicts else (None, ())
        outputs.write(verdicts, judged.skipped, notes=(*judged.notes, *said))
    if options["open_"]:
        open_page(page)
    if judged.interrupt is not None:
        return 128 + (judged.interrupt.number if isinstance(judged.interrupt, Terminated) else signal.SIGINT)
    return 5 if judged.uncompared else _status(verdicts, passes=options["inconclusive"] == "pass")


def _outputs(options: Mapping[str, Any]) -> Outputs:
    fails = options["inconclusive"] == "fail"
    try:
        return Outputs(options["form"], options["output"], inconclusive_fails=fails, root=root_of(Path.cwd()))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _page(folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Writes the page, and the list of all results where they lie in the usual place; returns it and what to say."""
    try:
        path = write_page(folder, digest(content_of((folder,))))
    except InputError as error:
        return None, (f"there is no page: {error}",)
    return path, (f"Page: {path}",)


def _folder(options: dict[str, Any]) -> Path:
    folder: Path = options["results"] or store.new_folder(REPORTS, "gate", dt.datetime.now())  # noqa: DTZ005  # local
    return folder


def _stored(ctx: click.Context, options: dict[str, Any], rules: Criteria, progress: Console) -> Judged:
    """Judges against a stored baseline."""
    for name in OTHERS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--against and --{name.replace('_', '-')} cannot be used together")
    return against(options["stored"], options, rules, folder=lambda: _folder(options), progress=progress)


def _by_turns(options: dict[str, Any], rules: Criteria, progress: Console) -> Judged:
    """Measures two sides in pairs and judges them."""
    if options["alpha"] <= 0:
        raise click.UsageError("--alpha is the chance of a false alarm and has to be over 0, 1% for instance")
    if options["candidate_results"] is not None:
        raise click.UsageError("--candidate-results goes with --against")
    sides = _sides(options, progress)
    places.keep_source(sides.candidate.places)
    sys.path[:0] = sides.candidate.folders  # workload files come from the candidate's side and import its code
    seconds = BURST_S * options["turns"]
    plan = make_plan({**options, "jobs": None, "seconds": seconds}, name="gate", processes=rules.rounds, servers=True)
    matched = _match(sides, plan, options)
    if not matched.cells:
        return Judged(verdicts=[*matched.verdicts], skipped=plan.skipped)
    plan = replace(plan, cells=tuple(matched.cells))
    folder = _folder(options)
    of_the_sides = {name: None if options[name] is None else str(options[name]) for name in OF_THE_SIDES}
    asked = paired_session.Asked(
        rules=rules,
        turns=options["turns"],
        limit_s=options["max_minutes"] or (paired_session.quick_limit_s(len(plan.cells)) if options["quick"] else None),
        options={**of_the_sides, "baseline": sides.commit or None},
        code=paired_session.code_of(_code(options)),
        unmeasured=matched.verdicts,
        notes=matched.notes,
        new=tuple(matched.new),
    )
    paired_session.begin(folder, plan, asked, tuple(matched.cells.values()))
    started = paired_session.Reopened(plan=plan, asked=asked, cells=matched.cells, saved={})
    return _measured(started, sides, folder, progress)


def _match(sides: Sides, plan: Plan, options: dict[str, Any]) -> Matched:
    """Finds the workloads of a plan on the baseline's side; where none was named, those too that were removed."""
    here = Path.cwd().resolve()
    known = None  # a folder of which one file was named may hold others that are no workloads
    if not options["workloads"]:
        known = [name for name, item in discover().items() if Path(item.path).is_relative_to(here)]
    return match(sides, plan.cells, own=here / "workloads", known=known, limit_s=options["time_limit"])


def _resumed(ctx: click.Context, options: dict[str, Any], progress: Console) -> Judged:
    """Completes a gate that was interrupted, or that ran out of time."""
    given = [
        name
        for name in ctx.params
        if name not in _WITH_RESUME and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given or options["workloads"]:
        what = "a workload" if options["workloads"] else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"--resume takes its settings from the gate that it completes; leave {what} out")
    folder = options["resume"]
    found = paired_session.reopen(folder)
    before = {name: _path(name, text) for name, text in found.asked.options.items()}
    paired_session.check_code(found.asked, _code(before), folder)
    sides = _sides(before, progress)
    if _asked(ctx, "max_minutes"):
        found = replace(found, asked=replace(found.asked, limit_s=options["max_minutes"]))
    return _measured(found, sides, folder, progress)


def _path(name: str, text: str | None) -> str | Path | None:
    return text if text is None or name == "baseline" else Path(text)


def _code(options: Mapping[str, Any]) -> list[Path]:
    """Returns the folders of code that may change between a gate and its completion: a revision cannot."""
    explicit = [options[name] for name in ("baseline_path", "candidate_path") if options[name] is not None]
    return [*explicit, Path.cwd() / "workloads"] if explicit else [root_of(Path.cwd())]


def _measured(started: paired_session.Reopened, sides: Sides, folder: Path, progress: Console) -> Judged:
    """Measures what is missing and judges all of it."""
    plan, asked, proof = started.plan, started.asked, Proof(sides)
    for pair in started.saved.values():
        proof.check(pair)
    both = (sides.baseline, sides.candidate)
    with Launcher() as launcher:
        paired_runner = PairedRunner(launcher, environment.describe(), Limits.of(plan), both, turns=asked.turns)
        take = _proving(paired_runner, started.cells, proof)
        measured = paired_session.measure(plan, asked, take, folder=folder, saved=started.saved, progress=progress)
    notes = [
        f"{sides.candidate.name} against {sides.baseline.name}, measured in turns; results: {folder}",
        *asked.notes,
    ]
    count = sum(len(item.pairs) for item in measured.samples)
    verdicts = proof.said(judge(measured.samples, asked.rules), new=asked.new)
    complete = f"loopstall gate --resume {shlex.quote(str(folder))}"
    if measured.interrupt is not None:
        notes.append(
            f"Interrupted: {counted(count, 'pair')} saved, and judged as far as they go; complete them with: {complete}"
        )
    elif any(item.verdict == "inconclusive" and item.pairs for item in verdicts) and asked.limit_s is not None:
        notes.append(f"Give it more time with: {complete} --max-minutes 10")
    return Judged(
        verdicts=[*verdicts, *asked.unmeasured],
        skipped=plan.skipped,
        notes=(*notes, *proof.notes(verdicts)),
        folder=folder,
        interrupt=measured.interrupt,
        uncompared=proof.compared_itself(verdicts),
    )


def _proving(paired_runner: PairedRunner, cells: Mapping[Cell, Cell], proof: Proof) -> Callable[[Cell, int, int], Pair]:
    """Returns what measures a pair of a cell, index and seed, and sees to it that each side ran its own code."""

    def take(cell: Cell, index: int, seed: int) -> Pair:
        pair = paired_runner.measure((cells[cell], cell), index=index, seed=seed)
        proof.check(pair)
        return pair

    return take


def _sides(options: Mapping[str, Any], progress: Console) -> Sides:
    """Returns baseline and candidate as the options have them."""
    if os.name != "posix":
        raise InputError("loopstall gate needs inherited pipes, which this system does not have; use gate --against")
    return sides_of(options, lambda text: progress.print(f"loopstall: {printable(text)}", soft_wrap=True))


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
        rounds=options["rounds"] or (QUICK_ROUNDS if quick else Criteria().rounds),
        confirm=options["confirm"] or (QUICK_CONFIRM if quick else Criteria().confirm),
        doubt=QUICK_DOUBT if quick else Criteria().doubt,
        budget=budgets.common,
        budgets=budgets.own,
        limited=_asked(ctx, "budget") or _asked(ctx, "availability"),
    )


def _status(verdicts: Sequence[Verdict], *, passes: bool) -> int:
    words = {item.verdict for item in verdicts if not item.accepted}
    if "failed" in words:
        return 3
    if "regressed" in words:
        return 1
    if all(item.verdict in UNCOMPARED for item in verdicts):
        return 5
    if words & {"inconclusive", BROKEN} and not passes:
        return 5
    return 0
