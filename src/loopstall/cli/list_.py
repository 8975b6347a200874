"""``loopstall list``."""

from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopstall.cli.options.helped import HelpedCommand
from loopstall.dispatch import DISPATCHES, Dispatch
from loopstall.loops import LOOPS
from loopstall.records.units import counted
from loopstall.report.escape import paragraph, printable
from loopstall.report.output import console
from loopstall.servers import SERVERS
from loopstall.workloads.definition import Workload
from loopstall.workloads.loader import find

__all__ = ["command"]

_NAME = 18  # columns of a name and the gap after it


_EXAMPLES = (
    ("loopstall list", "Show the workloads that `loopstall run` measures here."),
    ("loopstall list hashing", "Show one of them, with its parameters."),
)


@click.command("list", cls=HelpedCommand, examples=_EXAMPLES)
@click.argument("workloads", nargs=-1)
@click.option("--bundled", is_flag=True, help="Include the bundled workloads where workloads/ has some of its own.")
def command(workloads: tuple[str, ...], *, bundled: bool) -> int:
    """Show workloads and what they stand for, loops, dispatches and servers, and why one is missing.

    WORKLOADS are names, or paths of workload files. Without any, they are those of the
    folder workloads/ here; without such a folder, the bundled ones.
    """
    items = find(workloads, everything=True, bundled=bundled)
    terminal = console()
    terminal.print("Workloads", style="bold")
    for item in items:
        _show(terminal, item)
    others = len(find((), everything=True, bundled=True)) - len(items)
    if others and not workloads:
        terminal.print(f"  and {counted(others, 'bundled one')}: loopstall list --bundled")
    terminal.print("\nLoops", style="bold")
    for loop in LOOPS.values():
        _entry(terminal, loop.name, loop.summary, {loop.missing(): ""})
    terminal.print("\nDispatches", style="bold")
    for dispatch in DISPATCHES.values():
        _entry(terminal, dispatch.name, dispatch.summary, _reasons(dispatch, items))
    terminal.print("\nServers, for loopstall serve-bench", style="bold")
    for server in SERVERS.values():
        _entry(terminal, server.name, f"{server.summary}: {', '.join(server.dispatches)}", {server.missing(): ""})
    terminal.print("\nA strategy is LOOP/DISPATCH; a loop alone means inline, a dispatch alone is on asyncio.")
    return 0


def _reasons(dispatch: Dispatch, items: Sequence[Workload]) -> dict[str | None, str]:
    """Returns why a dispatch is missing, and for which workloads where it is there for others."""
    asked = [item for item in items if not item.dispatches or dispatch.name in item.dispatches]
    names: dict[str, list[str]] = {}
    for item in asked:
        reason = dispatch.missing(item)
        if reason:
            names.setdefault(reason, []).append(item.name)
    return {reason: "" if len(some) == len(asked) > 1 else ", ".join(some) for reason, some in names.items()}


def _entry(terminal: Console, name: str, summary: str, missing: Mapping[str | None, str]) -> None:
    """Shows a row, and beneath it each reason why it is not there, with for whom."""
    table = Table.grid()
    table.add_column(width=_NAME)
    table.add_column()
    table.add_row(Text(name), Text(summary))
    for reason, whom in missing.items():
        if reason is not None:
            table.add_row("", Text(f"n/a{f' for {printable(whom)}' if whom else ''}: {printable(reason)}", style="dim"))
    terminal.print(Padding(table, (0, 0, 0, 2)))


def _show(terminal: Console, item: Workload) -> None:
    label = " (control)" if item.control else " (on request: by name, or with --all)" if item.on_request else ""
    terminal.print(Text(f"  {printable(item.name)}{label}", style="bold cyan"), Text(printable(item.path), style="dim"))
    for part in paragraph(item.stands_for).split("\n\n"):
        terminal.print(Padding(Text(" ".join(part.split())), (0, 0, 0, 6)))
    for grid in item.grids:
        shown = "  ".join(f"{name}={','.join(map(str, values))}" for name, values in grid.items())
        if shown:
            terminal.print(Padding(Text(f"-p {printable(shown)}", style="green"), (0, 0, 0, 6)))
