"""Stalls in words: for a failed test, for a program that is watched."""

from loopstall.analysis.culprits import Blame, Culprit, StallSummary
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.records import Frame, StallEvent, StallPart
from loopstall.records.clock import NS_PER_MS
from loopstall.records.frames import is_librarys, is_users
from loopstall.records.units import counted, format_ns
from loopstall.report.page.icicle import source_line
from loopstall.report.text import place, printable

__all__ = ["blamed", "culprit_line", "described", "in_a_line", "spot", "still_blocked", "summed_up", "without_cpu"]

_FRAMES = 12
_WORST = 10
_NAME = 40  # characters of a library's name
_WAIT_SHARE = 0.1  # of a stall's length from which a wait for a CPU is worth a word


def summed_up(summary: StallSummary) -> list[str]:
    """Writes a session's ten worst culprits, a line each."""
    return [culprit_line(item) for item in summary.culprits[:_WORST]]


def culprit_line(item: Culprit) -> str:
    """Writes all the stalls of a culprit in one line."""
    tests = [name for name in item.places if "::" in name]
    within = f" in {counted(len(tests), 'test')}" if tests else ""
    times = format_ns(item.longest_ns)
    if item.count > 1:
        times += f" at worst, {format_ns(item.total_ns)} in all"
    return printable(f"{times}, {counted(item.count, 'stall')}{within}: {blamed(item.blame)} ({item.cause})")


def blamed(to_blame: Blame) -> str:
    """Names what stalls are put down to: a line of the user's, or the library and what it worked for."""
    if to_blame.frame is not None:
        return place(to_blame.frame)
    if not to_blame.library:
        return "no culprit was seen"
    return printable(f"in the framework ({to_blame.library[:_NAME]}){f', {to_blame.work}' if to_blame.work else ''}")


def without_cpu(seen: StallEvent) -> str:
    """Says how much of a stall was a wait for a CPU, "" where that is not worth a word."""
    waited_ns = seen.waited_cpu_ns
    if waited_ns < max(NS_PER_MS, seen.length_ns * _WAIT_SHARE):
        return ""
    return f"{format_ns(waited_ns)} of it without a CPU"


def _length(seen: StallEvent) -> str:
    waited = without_cpu(seen)
    return f"{format_ns(seen.length_ns)} ({waited})" if waited else format_ns(seen.length_ns)


def described(seen: StallEvent) -> str:
    """Describes a stall: length, cause, place, task, the user's frames, and what to do."""
    stall = seen.stall
    lines = [f"{_length(seen)}, {stall.cause}: {stall.rule or 'nothing more was seen'}"]
    if stall.holder is not None:
        lines.append(f"  the GIL was held by thread {stall.holder_thread or 'without a name'} at {place(stall.holder)}")
    if stall.culprit is not None:
        own = is_users(stall.culprit.file)
        lines.append(f"  {'culprit' if own else 'in the framework'}: {place(stall.culprit)}")
    if stall.task:
        lines.append(f"  task: {stall.task}{f' ({stall.coroutine})' if stall.coroutine else ''}")
    if stall.label:
        lines.append(f"  during: {stall.label}")
    lines += [f"  also in this loop iteration: {_part(part)}" for part in stall.beside]
    users = [frame for frame in stall.stack if is_users(frame.file)] or list(stall.stack)
    for frame in users[:_FRAMES]:
        lines += _frame(frame)
    lines.append(f"  what to do: {rule_of(stall.cause, gil=had_gil(stall)).advice}")
    return "\n".join(map(printable, lines))


def in_a_line(seen: StallEvent) -> str:
    """Describes a stall in a line: length, route, cause, place and task."""
    return printable(f"stall of {_length(seen)}{_during(seen)}, {_where(seen)}")


def still_blocked(seen: StallEvent) -> str:
    """Describes a stall that has not ended in a line: length so far, route, cause so far, place."""
    return printable(f"still blocked for {format_ns(seen.length_ns)}{_during(seen)}, {_where(seen)}")


def _during(seen: StallEvent) -> str:
    return f" in {seen.stall.label}" if seen.stall.label else ""


def spot(seen: StallEvent) -> str:
    """Names where a stall was: a line of the user's, or of a library."""
    frame = seen.blamed
    if frame is None:
        return "no culprit was seen"
    return f"in the framework, at {place(frame)}" if is_librarys(frame.file) else place(frame)


def _where(seen: StallEvent) -> str:
    stall = seen.stall
    held = f", GIL held by thread {stall.holder_thread or 'without a name'}" if stall.holder is not None else ""
    task = f", task {stall.task}" if stall.task else ""
    return f"{stall.cause}: {spot(seen)}{held}{task}"


def _part(part: StallPart) -> str:
    where = place(part.culprit) if part.culprit is not None else "no culprit was seen"
    task = f", task {part.task}" if part.task else ""
    return f"{where}{task}{f', {part.label}' if part.label else ''}, {part.share:.0%}"


def _frame(frame: Frame) -> list[str]:
    source = source_line(frame.file, frame.line)
    return [f"    {place(frame)}", *([f"        {source}"] if source else [])]
