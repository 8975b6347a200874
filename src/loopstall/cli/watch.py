"""``loopstall watch``."""

from collections.abc import Sequence
import contextlib
from dataclasses import replace
import json
import os
from pathlib import Path
import shlex
import signal
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from loopstall.analysis.culprits import StallSummary
from loopstall.cli.options.types import DURATION
from loopstall.errors import InputError
from loopstall.files import write_output
from loopstall.instrument.child import BEGUN, environment
from loopstall.instrument.inbox import Inbox
from loopstall.instrument.outside import OutsideHelper
from loopstall.instrument.runnable import check
from loopstall.instrument.supervisor import interpreter, supervise
from loopstall.monitor.samplers import SAMPLER_VARIABLE, SAMPLERS
from loopstall.records import DESCHEDULED, StallEvent, to_plain
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.records.units import format_ns
from loopstall.report.formats import stall_format_of, stalls_rendered
from loopstall.report.output import console, say
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import described, in_a_line, still_blocked, summed_up, without_cpu
from loopstall.report.text import place, printable

if TYPE_CHECKING:
    from loopstall.instrument.attended import Handed

__all__ = ["command"]

_WORST = 10
_UNWATCHED = "the program was not watched: its Python does not find loopstall, or left before it looked for it"
_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # the rest is the program's
_COLORS = {
    "blocking-call": "blue", "cpu-python": "red", "cpu-native": "magenta", "cpu": "red", "gil-wait": "yellow",
    "gc": "green", "descheduled": "dim",
}  # fmt: skip


@click.command("watch", context_settings=_SETTINGS)
@click.option("--threshold", type=DURATION, default="20ms", show_default=True, help="From when a lag is a stall.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Report after the program: .html, .json,"
              " .junit, .xml or .speedscope.json.")  # fmt: skip
@click.option("--fail-over", type=DURATION, help="Exit 1 after a longer stall; a wait for a CPU does not count.")
@click.option("--hang-after", type=DURATION, default="1s", show_default=True,
              help="Report a stall while it lasts, and each time it has doubled.")  # fmt: skip
@click.option("--sampler", type=click.Choice(SAMPLERS), help="Who looks at a loop that is late: a helper process"
              " (outside), or a thread of the program's (inside). [default: auto]")  # fmt: skip
@click.option("--json-lines", type=click.Path(path_type=Path), help="File to append each stall to, as JSON in a line.")
@click.option("--stacks", is_flag=True, help="Print the stack of each stall, and what to do.")
@click.option("-m", "module", help="Run a module, as python -m does.")
@click.option("--pid", type=click.IntRange(min=1), help="Watch a process that runs already, from outside.")
@click.option(
    "--inject", is_flag=True, help="With --pid: have it watch itself, by code that runs in it; 3.14 and later."
)
@click.option("--duration", type=DURATION, help="For how long to watch it; until it ends where this is not given.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="(SCRIPT | -m MODULE | --pid PID) [ARGS]...")
def command(module: str | None, words: tuple[str, ...], **options: Any) -> int:
    """Run a program and print each stall of its event loops, with its line and its cause.

    The program is a process of its own, as Python runs it. Loops of asyncio, uvloop, trio and curio are watched in
    every thread, and in every Python process that the program starts: workers, reloaders. The command exits with the
    program's exit code, with 128 + n where signal n ended it, or with 1 after a stall over --fail-over. The summary and
    the report are written however the program ends: also after os._exit, exec, SIGKILL or a crash.

    With --pid the loops of a process that runs already are looked at from outside, until it ends, --duration is over
    or Ctrl-C: nothing runs in it, and it is not stopped. The command exits with 0, or 1 after a stall over --fail-over.
    With --inject as well it watches itself, as exactly as a program that is run: its main thread runs a script of
    loopstall's, which takes everything back in the end. Exits with 5 where that thread never came to it.
    """
    _check(module, words, options)
    output, lines = options["output"], options["json_lines"]
    form = stall_format_of(output) if output is not None else ""
    for path in filter(None, (output, lines)):
        _probe(path)
    threshold_ns, given = round(options["threshold"] * NS_PER_S), ["-m", module, *words] if module else list(words)
    account: Any
    missed: Sequence[str] = ()
    if options["inject"]:
        from loopstall.instrument.attended_within import attend_within

        account, session, status = attend_within(
            options["pid"], options, lambda inbox, helper: _account(inbox, helper, options)
        )
    elif options["pid"] is not None:
        from loopstall.instrument.attended import Handed, attend  # a program is started without it

        handed = Handed()
        account = _account(None, handed, options)
        session, status = attend(options["pid"], options, handed, account)
    else:
        account, session, status = _run(given, threshold_ns, options)
        missed = session.about[1:]  # after how it has ended
    account.said.summary(session)
    for sentence in missed:
        say(f"loopstall: {sentence}", err=True)
    if output is not None:
        write_output(output, stalls_rendered(form, session))
    if account.summary.over:
        return 1
    return status if status >= 0 else 128 - status


def _account(inbox: Inbox | None, helper: "OutsideHelper | Handed", options: dict[str, Any]) -> "_Account":
    """Returns the account that the options ask for."""
    fail_over_ns, said = round((options["fail_over"] or 0) * NS_PER_S), _Said(stacks=options["stacks"])
    return _Account(inbox, helper, said, fail_over_ns=fail_over_ns, lines=options["json_lines"])


def _run(given: list[str], threshold_ns: int, options: dict[str, Any]) -> "tuple[_Account, Session, int]":
    """Runs a program, and returns what came of it with its exit code: below zero for the signal that ended it."""
    with (
        tempfile.TemporaryDirectory(prefix="loopstall-watch-", ignore_cleanup_errors=True) as folder,
        OutsideHelper(Path(folder), hang_after_s=options["hang_after"]) as helper,
    ):
        inbox = Inbox(Path(folder))
        account = _account(inbox, helper, options)
        variables = environment(threshold_ns=threshold_ns, home=os.getpid(), folder=folder) | helper.variables
        variables |= {SAMPLER_VARIABLE: options["sampler"]} if options["sampler"] else {}
        began_ns, began = now_ns(), time.time()
        status = supervise([*interpreter(), *given], variables, started=account.started, meanwhile=account.take)
        watched_ns = now_ns() - began_ns
        account.take_last()
        watched = Path(folder, BEGUN).exists()
    faults = (*helper.faults, *map(printable, inbox.faults))
    session = Session(
        title=printable(f"loopstall watch {shlex.join(given)}"),
        summary=account.summary,
        watched_ns=watched_ns,
        began=began,
        threshold_ns=threshold_ns,
        about=(_ended(status), *([] if watched else [_UNWATCHED]), *faults),
    )
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
        raise click.UsageError("say which program to run: a script, or -m and a module")
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


class _Account:
    """All that is made of the stalls while the program runs: counted, printed, appended to a file.

    Args:
        inbox: where they come in; None where all come from the helper.
        helper: who reports those that have not ended.
        said: the output for people.
        fail_over_ns: the length of the program's own part from which a stall breaks the budget; 0 for none.
        lines: the file to which each is appended as JSON; None for none.
    """

    def __init__(
        self,
        inbox: Inbox | None,
        helper: "OutsideHelper | Handed",
        said: "_Said",
        *,
        fail_over_ns: int,
        lines: Path | None,
    ) -> None:
        self.summary = StallSummary()
        self.said = said
        self._inbox = inbox
        self._helper = helper
        self._fail_over_ns = fail_over_ns
        self._lines = lines
        self._program = 0

    def started(self, program: int) -> None:
        """Hears which process the program is."""
        self._program = program

    def take(self) -> None:
        """Takes what has been handed over since the last time."""
        for told in self._inbox.take() if self._inbox is not None else ():
            self._count(told)
        self._hear(self._helper.take())

    def take_last(self) -> None:
        """Takes the rest, when the program has ended: also the stall that it ended in."""
        self.take()
        self._hear(self._helper.last())

    def _hear(self, news: Sequence[tuple[StallEvent, bool]]) -> None:
        for told, goes_on in news:
            if goes_on:
                with contextlib.suppress(OSError, ValueError):
                    self.said.hang(told, self._elsewhere(told))
            else:
                self._count(told)

    def _count(self, told: StallEvent) -> None:
        limit_ns = self._fail_over_ns
        over = bool(limit_ns) and told.own_ns > limit_ns and told.stall.cause != DESCHEDULED
        seen = replace(told, over=over)
        self.summary.add(seen)
        for tell in (self._keep, self._print):  # a disk may be full, stderr be closed: what one of them cannot do,
            with contextlib.suppress(OSError, ValueError):  # the other still does
                tell(seen)

    def _keep(self, seen: StallEvent) -> None:
        if self._lines is not None:
            with self._lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(to_plain(seen)) + "\n")

    def _print(self, seen: StallEvent) -> None:
        self.said.stall(seen, self._elsewhere(seen))

    def _elsewhere(self, seen: StallEvent) -> str:
        """Returns the name of the process of a stall, "" for the program's own."""
        own = seen.process.rpartition(" ")[2] == str(self._program)
        return "" if own else printable(seen.process)


class _Said:
    """Output for people: plain lines, or colours on a terminal.

    Args:
        stacks: whether to report each stall with its stack.
    """

    def __init__(self, *, stacks: bool) -> None:
        self._stacks = stacks
        self._file = sys.stderr
        self._console = console(self._file)

    def stall(self, seen: StallEvent, process: str) -> None:
        """Prints a stall, with the name of its process where that is not the program's own."""
        if self._stacks or not self._console.is_terminal:
            self._line(described(seen) if self._stacks else in_a_line(seen), process)
            return
        cause = seen.stall.cause
        text = Text.assemble(
            ("▲ " if seen.over else "● ", _COLORS.get(cause, "")),
            (f"{format_ns(seen.length_ns):>8}", "bold"),
            (f"  {cause:<14}", _COLORS.get(cause, "")),
            place(seen.blamed) if seen.blamed is not None else "no culprit was seen",
            (f"  {printable(seen.stall.label or seen.stall.task)}", "dim"),
            (f"  {without_cpu(seen)}", "dim"),
            (f"  {process}", "dim"),
        )
        source = source_line(seen.blamed.file, seen.blamed.line) if seen.blamed is not None else ""
        if source:
            text.append(f"\n{' ' * 26}{printable(source)}", style="italic dim")
        self._console.print(text, soft_wrap=True)

    def hang(self, seen: StallEvent, process: str) -> None:
        """Prints a stall that goes on."""
        self._line(still_blocked(seen), process)
        if self._stacks:
            self._line(described(seen), process)

    def summary(self, session: Session) -> None:
        """Prints the summary of the session."""
        summary = session.summary
        count = f"{summary.count} stall{'' if summary.count == 1 else 's'}"
        head = f"{count}, {format_ns(summary.total_ns)} of {format_ns(session.watched_ns)}"
        with contextlib.suppress(OSError, ValueError):
            self._line(head)
            if len(summary.processes) > 1:
                each = (f"{number} in {printable(name)}" for name, number in summary.processes.most_common())
                self._line(f"  {', '.join(each)}")
            if summary.count and self._console.is_terminal:
                self._console.print(_table(summary))
            else:
                for text in summed_up(summary):
                    self._line(f"  {text}")

    def _line(self, text: str, process: str = "") -> None:
        if self._file is not None:
            self._file.write(f"loopstall{f' [{process}]' if process else ''}: {text}\n")
            self._file.flush()


def _table(summary: StallSummary) -> Table:
    table = Table()
    for heading in ("longest", "in all", "stalls"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("cause", no_wrap=True)
    table.add_column("culprit", overflow="fold")
    for item in summary.culprits[:_WORST]:
        where = place(item.frame) if item.frame is not None else "no culprit was seen"
        cause = Text(item.cause, style=_COLORS.get(item.cause, ""))
        table.add_row(format_ns(item.longest_ns), format_ns(item.total_ns), str(item.count), cause, Text(where))
    return table


def _probe(path: Path) -> None:
    """Raises ``InputError`` where a file cannot be written, before the program has run for nothing."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another file") from error
