"""Stalls in words: for a failed test, for a program that is watched."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from loopstall.metrics import format_ns
from loopstall.monitor.stack import is_users
from loopstall.records import Frame, Stall
from loopstall.report.blame import source_line
from loopstall.report.diagnosis import advice_for
from loopstall.report.text import place, printable

__all__ = ["Culprit", "described", "in_a_line", "worst_culprits"]

_FRAMES = 12


@dataclass(slots=True, kw_only=True)
class Culprit:
    """All the stalls of one line in a session."""

    frame: Frame | None
    cause: str
    count: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    tests: set[str] = field(default_factory=set)

    def add(self, length_ns: int, test: str = "") -> None:
        """Counts one more, in a test if there is one."""
        self.count += 1
        self.total_ns += length_ns
        self.longest_ns = max(self.longest_ns, length_ns)
        if test:
            self.tests.add(test)

    def line(self) -> str:
        """Says it in a line."""
        within = f" in {_counted(len(self.tests), 'test')}" if self.tests else ""
        count = f"{_counted(self.count, 'stall')}{within}"
        times = f"{format_ns(self.longest_ns)} at worst, {format_ns(self.total_ns)} in all"
        where = place(self.frame) if self.frame is not None else "no culprit was seen"
        return printable(f"{times}, {count}: {where} ({self.cause})")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def worst_culprits(found: Iterable[Culprit]) -> list[Culprit]:
    """Returns them, the longest stall first."""
    return sorted(found, key=lambda item: -item.longest_ns)


def described(stall: Stall, length_ns: int) -> str:
    """Says how long a stall was, why, where, in which task, through which frames of the user's, and what to do."""
    lines = [f"{format_ns(length_ns)}, {stall.cause}: {stall.rule or 'nothing more was seen'}"]
    if stall.holder is not None:
        lines.append(f"  the GIL was held by thread {stall.holder_thread} at {place(stall.holder)}")
    if stall.culprit is not None:
        lines.append(f"  culprit: {place(stall.culprit)}")
    if stall.task:
        lines.append(f"  task: {stall.task}{f' ({stall.coroutine})' if stall.coroutine else ''}")
    users = [frame for frame in stall.stack if is_users(frame.file)] or list(stall.stack)
    for frame in users[:_FRAMES]:
        lines += _frame(frame)
    lines.append(f"  what to do: {advice_for(stall.cause)}")
    return printable("\n".join(lines))


def in_a_line(stall: Stall) -> str:
    """Says how long a stall was, why, where, and in which task."""
    frame = stall.holder or stall.culprit
    where = place(frame) if frame is not None else "no culprit was seen"
    held = f", GIL held by thread {stall.holder_thread}" if stall.holder is not None else ""
    task = f", task {stall.task}" if stall.task else ""
    return printable(f"stall of {format_ns(stall.duration_ns)}, {stall.cause}: {where}{held}{task}")


def _frame(frame: Frame) -> list[str]:
    source = source_line(frame.file, frame.line)
    return [f"    {place(frame)}", *([f"        {source}"] if source else [])]
