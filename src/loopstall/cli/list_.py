"""``loopstall list``."""

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopstall.dispatch import DISPATCHES
from loopstall.loops import LOOPS
from loopstall.report.text import printable
from loopstall.workloads import Workload, find

__all__ = ["command"]

_NAME = 13  # columns of a name


@click.command("list")
@click.argument("workloads", nargs=-1)
def command(workloads: tuple[str, ...]) -> int:
    """Show workloads with their parameters and what they stand for, loops and dispatches, and why one is missing.

    WORKLOADS are names, or paths of workload files; all that can be found for none.
    """
    items = find(workloads, everything=True)
    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print("Workloads", style="bold")
    for item in items:
        _show(console, item)
    console.print("\nLoops", style="bold")
    for loop in LOOPS.values():
        missing = loop.missing()
        console.print(Text(f"  {loop.name:<{_NAME}}{loop.summary}" + (f"; n/a: {missing}" if missing else "")))
    console.print("\nDispatches", style="bold")
    for dispatch in DISPATCHES.values():
        table = Table.grid()
        table.add_column(width=_NAME)
        table.add_column()
        table.add_row(dispatch.name, dispatch.summary)
        asked = [item for item in items if not item.dispatches or dispatch.name in item.dispatches]
        reasons: dict[str, list[str]] = {}
        for item in asked:
            reason = dispatch.missing(item)
            if reason:
                reasons.setdefault(reason, []).append(item.name)
        for reason, names in reasons.items():
            whom = "" if len(names) == len(asked) > 1 else f" for {', '.join(names)}"
            console.print(
                Padding(Text(f"n/a{printable(whom)}: {printable(reason)}", style="dim"), (0, 0, 0, 2 + _NAME))
            )
    console.print("\nServers: loopstall serve-bench --list")
    console.print("\nA strategy is LOOP/DISPATCH; a loop alone means inline, a dispatch alone is on asyncio.")
    return 0


def _show(console: Console, item: Workload) -> None:
    label = " (control)" if item.control else " (on request: by name, or with --all)" if item.on_request else ""
    console.print(Text(f"  {printable(item.name)}{label}", style="bold cyan"), Text(printable(item.path), style="dim"))
    for paragraph in printable(item.stands_for).split("\n\n"):
        console.print(Padding(Text(" ".join(paragraph.split())), (0, 0, 0, 6)))
    for grid in item.grids:
        shown = "  ".join(f"{name}={','.join(map(str, values))}" for name, values in grid.items())
        if shown:
            console.print(Padding(Text(f"-p {printable(shown)}", style="green"), (0, 0, 0, 6)))
