"""``loopstall watch``."""

from collections.abc import Iterator
import contextlib
from dataclasses import asdict
import os
from pathlib import Path
import shlex
import shutil
import sys
import tempfile
import time
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from loopstall.analysis.culprits import StallSummary
from loopstall.cli.out import console
from loopstall.cli.types import DURATION
from loopstall.errors import InputError
from loopstall.files import write_output
from loopstall.instrument.child import environment
from loopstall.instrument.program import run
from loopstall.instrument.reporter import Settings, StallReporter, handed_over
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.records.units import format_ns
from loopstall.report.formats import stall_format_of, stalls_rendered
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import described, in_a_line, summed_up
from loopstall.report.text import place, printable

__all__ = ["command"]

_WORST = 10
_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # the rest is the program's
_COLORS = {
    "blocking-call": "blue", "cpu-python": "red", "cpu-native": "magenta", "cpu": "red", "gil-wait": "yellow",
    "gc": "green", "descheduled": "dim",
}  # fmt: skip


@click.command("watch", context_settings=_SETTINGS)
@click.option("--threshold", type=DURATION, default="20ms", show_default=True, help="From when a lag is a stall.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Report after the program: .html, .json,"
              " .junit, .xml or .speedscope.json.")  # fmt: skip
@click.option("--fail-over", type=DURATION, help="Exit 1 after a longer stall, unless it is descheduled.")
@click.option("--json-lines", type=click.Path(path_type=Path), help="File to append each stall to, as JSON in a line.")
@click.option("--stacks", is_flag=True, help="Print the stack of each stall, and what to do.")
@click.option("-m", "module", help="Run a module, as python -m does.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="(SCRIPT | -m MODULE) [ARGS]...")
def command(module: str | None, words: tuple[str, ...], **options: Any) -> int:
    """Run a program and print each stall of its event loops, with its line and its cause.

    Loops of asyncio, uvloop, trio and curio are watched in every thread, and in every Python process that the program
    starts: workers, reloaders. The command exits with the program's exit code, or with 1 after a stall over
    --fail-over. The summary and the report are written when the program returns, raises or is ended by SIGINT, SIGTERM
    or SIGHUP; not after os._exit, exec, SIGKILL or a crash.
    """
    if module is None:
        _check_script(words)
    output, lines = _absolute(options["output"]), _absolute(options["json_lines"])
    form = stall_format_of(output) if output is not None else ""
    for path in filter(None, (output, lines)):
        _probe(path)
    summary, began_ns, began = StallSummary(), now_ns(), time.time()
    with _folder() as folder:
        settings = Settings(
            threshold_ns=round(options["threshold"] * NS_PER_S),
            fail_over_ns=round((options["fail_over"] or 0) * NS_PER_S),
            home=os.getpid(),
            folder=str(folder),
            lines=str(lines or ""),
            stacks=options["stacks"],
        )
        said = _Said(stacks=options["stacks"])
        reporter = StallReporter(settings, summary, said.stall)
        with _variables(environment(asdict(settings))):
            reporter.start()
            try:
                status = run(module, words)
            finally:
                reporter.stop()
        if os.getpid() != settings.home:
            return status  # a copy that the program has forked ends here too
        for seen in handed_over(folder):
            summary.add(seen)
    session = Session(
        title=printable(f"loopstall watch {'-m ' + module if module else ''} {shlex.join(words)}".replace("  ", " ")),
        summary=summary,
        watched_ns=now_ns() - began_ns,
        began=began,
        threshold_ns=settings.threshold_ns,
        about=(f"The program's exit code was {status}.",),
    )
    said.summary(session)
    if output is not None:
        write_output(output, stalls_rendered(form, session))
    return 1 if summary.over else status


def _check_script(words: tuple[str, ...]) -> None:
    """Raises an error where the words do not begin with a script that is there."""
    if not words:
        raise click.UsageError("say which program to run: a script, or -m and a module")
    if words[0].startswith("-"):
        raise click.UsageError(f"no such option {words[0]}; options of loopstall's come before the script or -m")
    if not Path(words[0]).exists():
        raise InputError(f"{words[0]} does not exist; name a script, or a module with -m")


class _Said:
    """Output for people: plain lines, or colours on a terminal.

    Args:
        stacks: whether to report each stall with its stack.
    """

    def __init__(self, *, stacks: bool) -> None:
        self._stacks = stacks
        self._file = sys.__stderr__  # the real one, whatever the program does to sys.stderr
        self._console = console(self._file)

    def stall(self, seen: StallEvent) -> None:
        """Prints a stall."""
        if self._stacks or not self._console.is_terminal:
            self._line(described(seen.stall, seen.length_ns) if self._stacks else in_a_line(seen))
            return
        cause = seen.stall.cause
        text = Text.assemble(
            ("▲ " if seen.over else "● ", _COLORS.get(cause, "")),
            (f"{format_ns(seen.length_ns):>8}", "bold"),
            (f"  {cause:<14}", _COLORS.get(cause, "")),
            place(seen.blamed) if seen.blamed is not None else "no culprit was seen",
            (f"  {printable(seen.stall.label or seen.stall.task)}", "dim"),
        )
        source = source_line(seen.blamed.file, seen.blamed.line) if seen.blamed is not None else ""
        if source:
            text.append(f"\n{' ' * 26}{printable(source)}", style="italic dim")
        self._console.print(text, soft_wrap=True)

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

    def _line(self, text: str) -> None:
        if self._file is not None:
            self._file.write(f"loopstall: {text}\n")
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


def _absolute(path: Path | None) -> Path | None:
    """The program may change its working directory."""
    return path.absolute() if path is not None else None


def _probe(path: Path) -> None:
    """Raises ``InputError`` where a file cannot be written, before the program has run for nothing."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another file") from error


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Makes a folder that the process removes which made it, and no copy of it."""
    home, path = os.getpid(), Path(tempfile.mkdtemp(prefix="loopstall-watch-"))
    try:
        yield path
    finally:
        if os.getpid() == home:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
