"""Progress: a bar with the time left on a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
import contextlib
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from loopstall.records.clock import NS_PER_S
from loopstall.records.units import counted, format_ns
from loopstall.report.text import printable

__all__ = ["Shown", "shown", "tell_limit"]

_LINES = 10


class Shown:
    """Progress of a measurement."""

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.done = done

    def expect(self, more: int) -> None:
        """Notes that more is to come than was said before."""
        self.total += more

    def advance(self, label: str) -> None:  # noqa: ARG002  # for whoever shows it
        """Notes that one more is done."""
        self.done += 1


class _Bar(Shown):
    """A progress bar that does not refresh itself, so that it disturbs no measurement."""

    def __init__(self, bar: Progress, total: int, done: int) -> None:
        super().__init__(total, done)
        self._bar = bar
        self._task = bar.add_task("starting", total=total, completed=done)
        bar.refresh()

    def expect(self, more: int) -> None:
        super().expect(more)
        self._bar.update(self._task, total=self.total)

    def advance(self, label: str) -> None:
        super().advance(label)
        self._bar.update(self._task, advance=1, description=printable(label), refresh=True)


class _Lines(Shown):
    def __init__(self, console: Console, total: int, done: int, what: str) -> None:
        super().__init__(total, done)
        self._console = console
        self._what = what
        self._begun_s = time.perf_counter()
        self._before = done
        if total > done:
            console.print(f"{counted(total - done, what)} to measure", soft_wrap=True)

    def expect(self, more: int) -> None:
        super().expect(more)
        if more:
            self._console.print(f"{counted(more, self._what)} to measure", soft_wrap=True)

    def advance(self, label: str) -> None:
        super().advance(label)
        count = self.done - self._before
        if count % max(1, (self.total - self._before) // _LINES) == 0:
            left_s = (time.perf_counter() - self._begun_s) / count * (self.total - self.done)
            self._console.print(
                f"{self.done} of {counted(self.total, self._what)}, {left_s:.0f} s left", soft_wrap=True
            )


def tell_limit(console: Console, limit_s: float | None) -> None:
    """Prints the time limit of a measurement, where there is one."""
    if limit_s:
        console.print(f"stops measuring after {format_ns(limit_s * NS_PER_S)}", soft_wrap=True)


@contextlib.contextmanager
def shown(console: Console, total: int = 0, done: int = 0, *, what: str = "run") -> Iterator[Shown]:
    """Shows progress while it is entered.

    Args:
        console: the terminal.
        total: the number of steps, as far as it is known.
        done: the number of finished steps.
        what: the name of a step.
    """
    if not console.is_terminal:
        yield _Lines(console, total, done, what)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        yield _Bar(bar, total, done)
