"""A plan carried out before the user's eyes: progress, the table, the page and the exit code."""

from pathlib import Path
import time

from rich.console import Console

from loopstall.analysis.content import Content, Digest, digest
from loopstall.analysis.summary import budgets_of
from loopstall.errors import InputError, Terminated
from loopstall.records import Plan, Run
from loopstall.records.units import counted
from loopstall.report.escape import printable
from loopstall.report.opening import open_page
from loopstall.report.output import console, say
from loopstall.report.progress import shown
from loopstall.report.terminal import closing, results
from loopstall.results.pages import write_page
from loopstall.runner import execution, schedule

__all__ = ["measure"]


def measure(
    plan: Plan,
    folder: Path,
    done: list[Run],
    *,
    limited: bool,
    begun: float,
    opens: bool = False,
    executes: execution.Executes | None = None,
) -> int:
    """Measures what of a plan is missing, shows it, and writes the page.

    Args:
        plan: the plan to measure.
        folder: the folder of the runs.
        done: those that are there already.
        limited: whether any cell over its budget fails the command, or only one with a budget of its own.
        begun: when the command began, as ``time.perf_counter`` has it.
        opens: whether to show the page in the browser.
        executes: a function that measures; one run after the other on this machine for None.

    Returns:
        The exit code.

    Raises:
        MeasurementError: no process can be started, or no run be saved.
    """
    terminal, progress = console(), console(err=True)
    if not plan.cells:
        terminal.print(results([], plan.skipped, width=terminal.width))
        if opens:
            open_page(None)
        return 5
    ended = _carried_out(plan, folder, done, executes, progress)
    made = digest(Content(title=folder.name, runs=ended.runs, plan=plan, budgets=budgets_of(plan)))
    if ended.interrupt is not None:
        return _interrupted(ended, len(plan.cells) * plan.processes, folder, made, progress)
    page = _show(ended, time.perf_counter() - begun, folder, made, terminal)
    if opens:
        open_page(page)
    if ended.failure is not None:
        raise ended.failure
    return _status(made, limited=limited)


def _carried_out(
    plan: Plan, folder: Path, done: list[Run], executes: execution.Executes | None, progress: Console
) -> execution.Execution:
    """Measures what is missing, and shows how far it has come."""
    slots = schedule.remaining(plan, done)
    total = len(plan.cells) * plan.processes
    with shown(progress, total, total - len(slots)) as bar:

        def advance(run: Run) -> None:
            bar.advance(f"{run.cell.row} {run.cell.strategy}")

        return execution.carry_out(plan, slots, folder, done, advance=advance, executes=executes)


def _interrupted(ended: execution.Execution, total: int, folder: Path, made: Digest, progress: Console) -> int:
    """Writes the page, says how to complete the result, and returns the exit code of the interruption."""
    assert ended.interrupt is not None
    _page(folder, made)
    place = printable(str(folder))
    progress.print(
        f"Interrupted: {len(ended.runs)} of {counted(total, 'run')} are saved in {place};"
        f" complete them with: loopstall run --resume -o {place}",
        soft_wrap=True,
    )
    return 128 + (ended.interrupt.number if isinstance(ended.interrupt, Terminated) else 2)


def _show(ended: execution.Execution, wall_s: float, folder: Path, made: Digest, terminal: Console) -> Path | None:
    """Prints the table and what stands under it, and writes the page, which it returns where that went well."""
    terminal.print(results(made.summaries, made.skipped, width=terminal.width))
    for part in closing(made):
        terminal.print(part, soft_wrap=True)
    page = _page(folder, made)
    terminal.print(_duration(ended, wall_s), soft_wrap=True)
    if page is not None:
        terminal.print(f"Page: {printable(str(page))}", soft_wrap=True)
    return page


def _status(made: Digest, *, limited: bool) -> int:
    if any(item.error is not None for item in made.summaries):
        return 3
    own = made.content.budgets.own
    return 1 if any(item.trap and (limited or item.cell.workload.name in own) for item in made.summaries) else 0


def _duration(ended: execution.Execution, wall_s: float) -> str:
    """Describes the number of runs and their share of the wall time."""
    runs = counted(ended.count, "run")
    load_s, process_s = ended.load_ns / 1e9, ended.process_ns / 1e9
    hosts = {run.environment.host for run in ended.runs if run.environment is not None}
    if process_s > wall_s:
        return f"{runs} in {wall_s:.1f} s, {process_s:.1f} s of processes on {counted(len(hosts), 'host')}."
    return (
        f"{runs} in {wall_s:.1f} s: {load_s:.1f} s under load, {process_s - load_s:.1f} s starting,"
        f" priming and ending their processes, {wall_s - process_s:.1f} s for the rest:"
        f" {max(0.0, 1 - load_s / wall_s):.0%} outside the measured load."
    )


def _page(folder: Path, made: Digest) -> Path | None:
    """Writes the page; says where that fails, for the runs are saved all the same."""
    try:
        return write_page(folder, made)
    except InputError as error:
        say(f"loopstall: {error}; try loopstall report", err=True)
        return None
