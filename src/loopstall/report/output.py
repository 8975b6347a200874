"""Output of the command line: no text from outside moves the cursor or is obeyed by a CI server."""

import re
import sys
from typing import IO, TYPE_CHECKING, Any, cast

import click

from loopstall.report.escape import printable, tamed

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "emit", "say", "show"]

_PADDING = re.compile(r"(?: |\x1b\[[\d;]*m)+$")
"""The blanks at the end of a line, with which rich fills cells and indented text, between its styles."""


class _Harmless:
    """A stream on which no line is a CI server's command, not even one that a table has folded into that shape.

    No line ends in blanks, but on a screen, where they cover what stood there; each line of that begins at the left,
    whatever a program makes of the terminal. What the stream's encoding has no sign for stands as an escape.

    Args:
        stream: the target of the lines; each write begins at the start of one, as rich's do.
        screen: whether lines are written over others.
    """

    def __init__(self, stream: IO[str], *, screen: bool) -> None:
        self._stream = stream
        self._screen = screen

    def write(self, text: str) -> int:
        *ended, rest = text.split("\n")
        lines = [*(line if self._screen else _PADDING.sub(_styles_alone, line) for line in ended), rest]
        end = "\r\n" if self._screen else "\n"
        return self._stream.write(_encodable(end.join(map(tamed, lines)), self._stream))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console(
    file: IO[str] | None = None, *, err: bool = False, width: int | None = None, screen: bool = False
) -> "Console":
    """Returns what prints tables and styled text, none of it taken for markup.

    Args:
        file: where; stdout for None.
        err: stderr instead.
        width: in columns; that of the terminal for None.
        screen: whether each output covers the one before.
    """
    from rich.console import Console  # `loopstall --help` starts without it

    stream = file if file is not None else (sys.stderr if err else sys.stdout)
    return Console(file=cast("IO[str]", _Harmless(stream, screen=screen)), width=width, highlight=False, markup=False)


def say(*lines: str, err: bool = False) -> None:
    """Prints sentences, a line each, whatever they quote."""
    for line in lines:
        click.echo(_encodable(printable(line), (sys.stderr if err else sys.stdout)), err=err)


def emit(text: str) -> None:
    """Prints a report to stdout as its format has it, which has seen to what it quotes."""
    click.echo(_encodable(text, sys.stdout), nl=False)


def show(error: click.ClickException) -> None:
    """Prints a usage error as click does, with what it quotes escaped."""
    context = getattr(error, "ctx", None)
    if context is not None and error.message == context.get_help():  # a group without a command
        click.echo(error.message, err=True)
        return
    if context is not None:
        click.echo(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n", err=True)
    say(f"Error: {error.format_message()}", err=True)


def _styles_alone(padding: re.Match[str]) -> str:
    return padding[0].replace(" ", "")


def _encodable(text: str, stream: IO[str]) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
