"""``loopstall watch``."""

from collections.abc import Sequence
import os
from pathlib import Path
import shlex
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Any

import click

from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.opening import open_option
from loopstall.cli.options.types import DURATION
from loopstall.errors import InconclusiveError, InputError
from loopstall.instrument.account import StallAccount
from loopstall.instrument.child import BEGUN, LOOPED, environment
from loopstall.instrument.inbox import Inbox
from loopstall.instrument.live.views import Views
from loopstall.instrument.outside import OutsideHelper
from loopstall.instrument.runnable import check
from loopstall.instrument.supervisor import interpreter, supervise
from loopstall.monitor.samplers import SAMPLER_VARIABLE, SAMPLERS
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.records.files import write_output
from loopstall.report.formats import stall_format_of, stalls_rendered
from loopstall.report.opening import open_page
from loopstall.report.output import say
from loopstall.report.stall_document import Session
from loopstall.report.text import printable
from loopstall.report.watch_output import WatchOutput

if TYPE_CHECKING:
    from loopstall.instrument.attended import Handed

__all__ = ["command"]

_UNWATCHED = "the program was not watched: its Python does not find loopstall, or left before it looked for it"
_LOOPLESS = "no event loop ran that could be watched"
_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # the rest is the program's
_EXAMPLES = (
    ("loopstall watch app.py --port 8000", "Run a script with its arguments, and print each stall."),
    ("loopstall watch -o stalls.html --open -m uvicorn app:app", "Run a module, and show a page when it has ended."),
)
_GROUPS = {
    "What to watch": ("module", "pid", "inject", "duration"),
    "What counts": ("threshold", "hang_after", "fail_over", "sampler"),
    "Output": ("output", "open_", "stacks", "json_lines", "live", "serve"),
}


@click.command("watch", cls=HelpedCommand, context_settings=_SETTINGS, examples=_EXAMPLES, groups=_GROUPS)
@click.option(
    "--threshold",
    type=DURATION,
    default="20ms",
    show_default=True,
    help="Lag of the event loop from which it is a stall.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a report when the program has"
              " ended: .html, .json, .junit, .xml or .speedscope.json.")  # fmt: skip
@click.option("--fail-over", type=DURATION, help="Exit with 1 after a longer stall, without its wait for a CPU.")
@click.option("--hang-after", type=DURATION, default="1s", show_default=True,
              help="Print a stall while it lasts: after so long, and each time that has doubled.")  # fmt: skip
@click.option("--sampler", type=click.Choice(SAMPLERS), help="Who samples a loop that is late: a helper process"
              " (outside), or a thread of the program (inside). [auto]")  # fmt: skip
@click.option(
    "--json-lines", type=click.Path(path_type=Path), help="Append each stall to this file, as a line of JSON."
)
@click.option("--stacks", is_flag=True, help="Print the stack of each stall, and what to do.")
@click.option("--live", is_flag=True, help="Show lag, the worst lines and what blocks now on the terminal.")
@click.option("--serve", metavar="[HOST:]PORT", help="Show the same as a page over HTTP, to this machine alone where no"
              " HOST is given; others need the token that is printed.")  # fmt: skip
@open_option
@click.option("-m", "module", help="Run a module, as python -m does.")
@click.option("--pid", type=click.IntRange(min=1), help="Watch a running process, from outside.")
@click.option(
    "--inject", is_flag=True, help="With --pid: have the process watch itself, by code that runs in it (Python 3.14)."
)
@click.option("--duration", type=DURATION, help="With --pid: how long to watch. [until the process ends]")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="(SCRIPT | -m MODULE | --pid PID) [ARGS]...")
def command(module: str | None, words: tuple[str, ...], **options: Any) -> int:
    """Run a program and print each stall of its event loops, with the line and the cause.

    The program runs unchanged, in a process of its own. Event loops of asyncio, uvloop, trio and curio are watched in
    every thread, and in every Python process that the program starts: workers, reloaders. The exit code is that of the
    program, 128 + n where signal n ended it, 1 after a stall over --fail-over, or 5 where no loop ran to judge.
    The summary and the report are written however the program ends: also after os._exit, exec, SIGKILL or a crash.

    With --pid, a running process is sampled from outside until it ends, --duration is over or you press Ctrl-C: no
    code runs in it, and it is not stopped. The exit code is 0, 1 after a stall over --fail-over, or 5 where no loop was
    found. With --inject as well, the process watches itself, as exactly as a program that is run: its main thread runs
    a script of loopstall's, which undoes everything in the end. The exit code is 5 also where it never ran the script.

    With --live, the end of the program's output is shown, and all of it printed when the program has ended; what is
    redirected is left alone. --serve shows the same as a page over HTTP.
    """
    _check(module, words, options)
    output, lines = options["output"], options["json_lines"]
    form = stall_format_of(output) if output is not None else ""
    for path in filter(None, (output, lines)):
        _probe(path)
    threshold_ns, given = round(options["threshold"] * NS_PER_S), ["-m", module, *words] if module else list(words)
    views = Views(live=options["live"], serve=options["serve"], title=_title(given, options["pid"]),
                  threshold_ns=threshold_ns, runs=options["pid"] is None)  # fmt: skip
    with views:
        account, session, status, missed = _watched(given, threshold_ns, options, views)
    account.said.summary(session)
    for sentence in missed:
        say(f"loopstall: {sentence}", err=True)
    if output is not None:
        write_output(output, stalls_rendered(form, session))
    account.said.end(session, output, form)
    if options["open_"]:
        open_page(output if form == "html" else None)
    if account.summary.over:
        return 1
    return status if status >= 0 else 128 - status


def _title(given: list[str], pid: int | None) -> str:
    """Returns the name of a watch."""
    return printable(f"loopstall watch {shlex.join(given) if pid is None else f'--pid {pid}'}")


def _watched(
    given: list[str], threshold_ns: int, options: dict[str, Any], views: Views
) -> tuple[StallAccount, Session, int, Sequence[str]]:
    """Watches what the options name; returns what came of it, the exit code, and sentences on what was missed."""
    pid = options["pid"]
    seen_from = {**options, "hang_after": views.hang_after_s(options["hang_after"])}
    if options["inject"]:
        from loopstall.instrument.attended_within import attend_within

        account: Any
        account, session, status = attend_within(
            pid, seen_from, lambda inbox, helper: _account(inbox, helper, options, views)
        )
        return account, session, status, ()
    if pid is not None:
        from loopstall.instrument.attended import Handed, attend  # a program is started without it

        handed = Handed()
        account = _account(None, handed, options, views)
        session, status = attend(pid, seen_from, handed, account)
        return account, session, status, ()
    account, session, status = _run(given, threshold_ns, options, views)
    return account, session, status, session.about[1:]  # after how it has ended


def _account(
    inbox: Inbox | None, helper: "OutsideHelper | Handed", options: dict[str, Any], views: Views
) -> StallAccount:
    """Returns the account that the options ask for."""
    fail_over_ns, said = round((options["fail_over"] or 0) * NS_PER_S), WatchOutput(stacks=options["stacks"])
    if inbox is not None:
        views.lags_in(inbox.folder)
    return StallAccount(inbox, helper, said, views, fail_over_ns=fail_over_ns, lines=options["json_lines"],
                    hang_after_ns=round(options["hang_after"] * NS_PER_S))  # fmt: skip


def _run(
    given: list[str], threshold_ns: int, options: dict[str, Any], views: Views
) -> tuple[StallAccount, Session, int]:
    """Runs a program, and returns what came of it with its exit code: below zero for the signal that ended it."""
    with (
        tempfile.TemporaryDirectory(prefix="loopstall-watch-", ignore_cleanup_errors=True) as folder,
        OutsideHelper(Path(folder), hang_after_s=views.hang_after_s(options["hang_after"])) as helper,
    ):
        inbox = Inbox(Path(folder))
        account = _account(inbox, helper, options, views)
        variables = environment(threshold_ns=threshold_ns, home=os.getpid(), folder=folder) | helper.variables
        variables |= {SAMPLER_VARIABLE: options["sampler"]} if options["sampler"] else {}
        began_ns, began = now_ns(), time.time()
        status = supervise(
            [*interpreter(), *views.flags, *given], variables, started=account.started, meanwhile=account.take,
            terminal=views.terminal,
        )  # fmt: skip
        watched_ns = now_ns() - began_ns
        account.take_last()
        begun, looped = (Path(folder, name).exists() for name in (BEGUN, LOOPED))
    missed = [*([] if looped else [_LOOPLESS if begun else _UNWATCHED]), *helper.faults, *map(printable, inbox.faults)]
    session = Session(
        title=_title(given, None),
        summary=account.summary,
        watched_ns=watched_ns,
        began=began,
        threshold_ns=threshold_ns,
        about=(_ended(status), *helper.cost(watched_ns), *missed),
    )
    if options["fail_over"] and not looped:
        status = status or InconclusiveError.exit_code
    return account, session, status


def _check(module: str | None, words: tuple[str, ...], options: dict[str, Any]) -> None:
    """Raises an error where there is nothing to watch, or more than one thing."""
    if options["pid"] is not None:
        if module is not None or words:
            raise click.UsageError("--pid watches a process that runs already: name no program beside it")
        if options["sampler"] is not None:
            raise click.UsageError("--sampler is for a program that is run; --pid looks from outside")
        return
    if options["duration"] is not None:
        raise click.UsageError("--duration is for --pid: a program is watched until it ends")
    if options["inject"]:
        raise click.UsageError("--inject is for --pid: a program that is run watches itself anyway")
    if module is None and not words:
        raise click.UsageError("name the program to run: a script, or -m and a module")
    if module is None and words[0].startswith("-"):
        raise click.UsageError(f"no such option {words[0]}; options of loopstall's come before the script or -m")
    check(module, words)


def _ended(status: int) -> str:
    if status >= 0:
        return f"The program's exit code was {status}."
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"The program was ended by {name}."


def _probe(path: Path) -> None:
    """Raises ``InputError`` where a file cannot be written, before the program has run for nothing."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another file") from error
