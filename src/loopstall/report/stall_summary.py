"""The end of a watch in words: how much was stalled, the three worst lines and what to do about each."""

from loopstall.analysis.culprits import Culprit
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.records import DESCHEDULED
from loopstall.records.units import counted, format_ns
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import culprit_line, described
from loopstall.report.text import printable

__all__ = ["left_lines", "overview", "session_to_terminal", "worst", "worst_lines"]

_WORST = 3
_IN_FULL = 3


def overview(session: Session) -> list[str]:
    """Writes how many stalls there were and for how long, and how many of them in which process."""
    summary = session.summary
    if not summary.count:
        return [f"0 stalls in {format_ns(session.watched_ns)}"]
    longest = f", the longest {format_ns(summary.longest_ns)}" if summary.longest_ns and summary.count > 1 else ""
    total, watched = format_ns(summary.total_ns), format_ns(session.watched_ns)
    beside = summary.total_ns > session.watched_ns  # the loops of several threads or processes
    times = f"{total} in all, of loops side by side for {watched}" if beside else f"{total} of {watched}"
    lines = [f"{counted(summary.count, 'stall')}, {times}{longest}"]
    if len(summary.processes) > 1:
        lines.append(
            f"  {', '.join(f'{number} in {printable(name)}' for name, number in summary.processes.most_common())}"
        )
    return lines


def worst(session: Session) -> list[Culprit]:
    """Returns the three culprits with the longest stalls; those that the machine has made come last."""
    return sorted(session.summary.culprits, key=lambda item: item.cause == DESCHEDULED)[:_WORST]


def worst_lines(item: Culprit) -> list[str]:
    """Writes a culprit: its stalls in a line, the source, the route of the longest, and what to do."""
    lines = [culprit_line(item)]
    source = source_line(item.frame.file, item.frame.line) if item.frame is not None else ""
    if source:
        lines.append(f"  {printable(source)}")
    stall = item.longest
    if stall is not None and stall.label:
        lines.append(f"  during: {printable(stall.label)}")
    gil = stall is None or had_gil(stall)
    lines.append(f"  what to do: {rule_of(item.cause, gil=gil).advice}")
    return lines


def left_lines(session: Session) -> list[str]:
    """Writes how many culprits there are beside the three worst."""
    left = len(session.summary.culprits) - _WORST
    return [f"and {counted(left, 'line')} of code more that stalled the loop for less long"] if left > 0 else []


def session_to_terminal(session: Session) -> str:
    """Renders a session's stalls for a terminal: the summary, and the longest stalls with their stacks."""
    lines = [printable(session.title), *overview(session)]
    for item in worst(session):
        first, *rest = worst_lines(item)
        lines += [f"  {first}", *(f"  {line}" for line in rest)]
    lines += [f"  {line}" for line in left_lines(session)]
    for seen in session.summary.longest[:_IN_FULL]:
        lines += ["", *described(seen).split("\n")]
    lines += ["", *map(printable, session.about)] if session.about else []
    return "".join(f"{line}\n" for line in lines)
