"""The entry point: finds the command, and turns every error into one sentence and an exit code."""

from collections.abc import Sequence
import importlib
import os
from pathlib import Path
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from loopstall import __version__
from loopstall.cli.options.helped import write_examples
from loopstall.errors import InputError, LoopstallError, Terminated, did_you_mean
from loopstall.report.output import say, show

__all__ = ["main"]

# Name, module and help of each command, the common path first: the module is imported when the command is called, so
# that help is quick.
_FIRST = {
    "watch": ("loopstall.cli.watch", "Run a program and print each stall of its event loops, with line and cause."),
    "pytest": ("loopstall.cli.pytest_", "In tests: pytest --stall-budget 50ms fails a test that blocks a loop."),
    "gate": ("loopstall.cli.gate", "Compare with a baseline, side by side; exit 1 on a confirmed regression."),
    "advise": ("loopstall.cli.advise", "Measure every way to run a function, and recommend one."),
    "run": ("loopstall.cli.run", "Measure workloads under strategies, and write a page."),
}
_MORE = {
    "report": ("loopstall.cli.report", "Show what another command has written: as a page, text or data."),
    "compare": ("loopstall.cli.compare", "Compare two results; exit 1 where a cell got worse."),
    "accept": ("loopstall.cli.accept", "Accept regressions that a gate found, with a reason and a date."),
    "dump": ("loopstall.cli.dump", "Print what each event loop of a running process does now."),
    "list": ("loopstall.cli.list_", "List workloads, loops, dispatches and servers, and why one is missing."),
    "history": ("loopstall.cli.history", "Keep results over commits; show where a figure changed."),
    "serve-bench": ("loopstall.cli.serve_bench", "Load real servers and show what light requests wait for."),
}
_COMMANDS = _FIRST | _MORE
_EXAMPLES = (
    ("loopstall watch app.py", "Run a program and see what blocks its event loop."),
    ("loopstall watch -o stalls.html -m uvicorn app:app", "The same for a service, with a page at the end."),
)

_UNEXPECTED = 3
_DEPENDENCIES = ("hdrh", "jinja2", "msgspec")
"""Dependencies that may not support this Python; the monitor, the plugin and watch need none."""
_EPILOG = (
    "Exit codes: 0 fine; 1 a regression or a stall over a budget that was asked for; 2 wrong usage or unreadable"
    " input; 3 a measurement failed; 5 nothing measured or compared, or inconclusive; 128 + n ended by signal n."
)


class _Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        try:
            command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as error:
            if error.name not in _DEPENDENCIES:
                raise
            raise InputError(
                f"`loopstall {cmd_name}` needs {error.name}, which this Python does not have: python -m pip install"
                f" {error.name}, or use another Python; `loopstall watch`, the pytest plugin and loopstall.watch need"
                " none of it"
            ) from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"unknown command {args[0]!r}; {did_you_mean(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, _COMMANDS))
        for heading, commands in (("Start here", _FIRST), ("More commands", _MORE)):
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in commands.items()])

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        write_examples(_EXAMPLES, formatter)


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="loopstall")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def _loopstall(debug: bool) -> None:  # noqa: FBT001  # taken by main, which catches the errors
    """Find what blocks an event loop, measure the ways out, and keep it from coming back."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and exits with its code.

    Args:
        arguments: the command line without the program; those of the process for None.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given[: given.index("watch")] if "watch" in given else given  # what follows is the watched program's
    debug = "--debug" in own
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _end)
    try:
        words = [*(word for word in own if word != "--debug"), *given[len(own) :]]
        status = _loopstall.main(words, "loopstall", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # this is the one place where errors become exit codes
        if debug and not isinstance(error, SystemExit | KeyboardInterrupt | click.ClickException):
            raise
        status = _explain(error)
    sys.exit(status if isinstance(status, int) else 0)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


def _is_nowhere() -> bool:
    """Returns whether the working directory is gone, or cannot be reached."""
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _explain(error: BaseException) -> int:
    """Prints the error to stderr and returns the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, Terminated):
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 128 + signal.SIGINT
    if isinstance(error, click.ClickException):
        show(error)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at exit
        return 0
    if isinstance(error, LoopstallError):
        text, status = str(error), error.exit_code
    elif isinstance(error, FileNotFoundError) and _is_nowhere():
        text, status = "the working directory has been removed; change to one that is there", InputError.exit_code
    else:
        text = f"unexpected {type(error).__name__}: {error}; run again with --debug and report it"
        status = _UNEXPECTED
    say(f"loopstall: {text}", err=True)
    return status
