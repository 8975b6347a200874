"""``loopstall dump``."""

import click

from loopstall.cli.options.helped import HelpedCommand
from loopstall.errors import InputError
from loopstall.monitor.outside.attached import Attached
from loopstall.monitor.outside.dump import dump_of
from loopstall.monitor.unavailable import UnavailableError
from loopstall.report.dump_text import dump_to_json, dump_to_terminal
from loopstall.report.output import emit

__all__ = ["command"]


_EXAMPLES = (
    ("loopstall dump 4711", "Show on which line the loops of process 4711 are, and what their tasks await."),
    ("loopstall dump 4711 --json", "The same as data, with all that was seen."),
)


@click.command("dump", cls=HelpedCommand, examples=_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print everything that was seen, as JSON.")
@click.argument("pid", type=click.IntRange(min=1))
def command(pid: int, as_json: bool) -> int:  # noqa: FBT001  # as click calls it
    """Print what each event loop of a running process does now.

    Looks once, from outside, at the process PID: what its loops do, on which line, in which task, and what its other
    tasks await. The process is not stopped, and nothing runs in it. On Linux, for a process of your own or as root.
    """
    try:
        process = Attached(pid)
        try:
            dump = dump_of(process)
        finally:
            process.close()
    except UnavailableError as error:
        raise InputError(str(error)) from error
    emit((dump_to_json if as_json else dump_to_terminal)(dump))
    return 0
