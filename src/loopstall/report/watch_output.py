"""The output of `watch`: each stall in a line of its own, and at the end the worst ones and what to do next."""

import contextlib
import datetime as dt
from pathlib import Path
import shlex
import sys

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopstall.records import StallEvent
from loopstall.records.units import format_ns
from loopstall.report.output import console
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_document import Session
from loopstall.report.stall_summary import left_lines, overview, worst, worst_lines
from loopstall.report.stall_text import described, in_a_line, spot, still_blocked, without_cpu
from loopstall.report.text import printable

__all__ = ["WatchOutput"]

_COLORS = {
    "blocking-call": "blue", "cpu-python": "red", "cpu-native": "magenta", "cpu": "red", "gil-wait": "yellow",
    "gc": "green", "descheduled": "dim",
}  # fmt: skip
_CLOCK = 10  # columns of the clock time and the gap after it


class WatchOutput:
    """Output for people on standard error: plain lines, or colours and whole words on a terminal.

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
            self._line(described(seen) if self._stacks else in_a_line(seen), process, at=seen.at)
            return
        self._console.print(_shown(seen, process, self._console.width))

    def hang(self, seen: StallEvent, process: str) -> None:
        """Prints a stall that goes on."""
        self._line(still_blocked(seen), process, at=seen.at)
        if self._stacks:
            self._line(described(seen), process)

    def summary(self, session: Session) -> None:
        """Prints how much was stalled, the three worst lines of code, and what to do about each."""
        with contextlib.suppress(OSError, ValueError):
            for text in overview(session):
                self._line(text)
            for item in worst(session):
                for text in worst_lines(item):
                    self._wrapped(f"  {text}")
            for text in left_lines(session):
                self._line(f"  {text}")

    def end(self, session: Session, report: Path | None, form: str) -> None:
        """Prints where the report is, and the command to go on with.

        Args:
            session: what was seen.
            report: the file that was written; None for none.
            form: its format.
        """
        with contextlib.suppress(OSError, ValueError):
            if report is not None:
                self._line(f"report: {printable(str(report))}")
            if session.summary.count:
                self._line(f"next: {printable(_next(session, report, form))}")

    def _wrapped(self, text: str) -> None:
        """Prints a line; on a terminal its words stay whole, and further lines are indented as the first one."""
        if not self._console.is_terminal:
            self._line(text)
            return
        indent = len(text) - len(text.lstrip())
        self._console.print(Padding.indent(Text(text.strip()), indent))

    def _line(self, text: str, process: str = "", at: float | None = None) -> None:
        if self._file is not None:
            clock = f"{_clock(at)} " if at is not None else ""
            self._file.write(f"{clock}loopstall{f' [{process}]' if process else ''}: {text}\n")
            self._file.flush()


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at).strftime("%H:%M:%S")  # noqa: DTZ006  # as the reader's clock has it


def _shown(seen: StallEvent, process: str, width: int) -> RenderableType:
    """Returns a stall for a terminal: clock time, process, route, length, cause and line; below it the source."""
    stall = seen.stall
    text = Text.assemble(
        (f"{process}  " if process else "", "dim"),
        (f"{printable(stall.label)}  " if stall.label else "", "cyan"),
        ("▲ " if seen.over else "", "bold red"),
        (format_ns(seen.length_ns), "bold"),
        (f"  {stall.cause}", _COLORS.get(stall.cause, "")),
        f"  {spot(seen)}",
        (f"  {printable(stall.task)}" if stall.task else "", "dim"),
        (f"  {waited}" if (waited := without_cpu(seen)) else "", "dim"),
    )
    parts: list[RenderableType] = [text]
    source = source_line(seen.blamed.file, seen.blamed.line) if seen.blamed is not None else ""
    if source:
        parts.append(Text(_within(printable(source), width - _CLOCK - 2), style="italic dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row(_clock(seen.at), Group(*parts))
    return table


def _within(source: str, width: int) -> str:
    """Returns the beginning of a line of source that fits, up to the end of a word."""
    if len(source) <= width:
        return source
    whole, _, _ = source[: width - 1].rpartition(" ")
    return f"{whole} …" if whole else f"{source[: width - 1]}…"


def _next(session: Session, report: Path | None, form: str) -> str:
    """Returns what to do after a watch with stalls."""
    if report is not None and form == "json":
        return f"loopstall advise --from {shlex.quote(str(report))} (measures the ways out for the worst line)"
    if report is not None:
        return "pytest --stall-budget 50ms (fails a test that blocks the loop, so that it stays fixed)"
    given = session.title.removeprefix("loopstall watch ")
    if given.startswith("--pid "):
        given = given.partition(":")[0]
    return f"loopstall watch -o stalls.html {given} (writes a page with every stack)"
