"""A session's stalls as Markdown, as CSV and as annotations of a GitHub workflow."""

from collections.abc import Iterable
import datetime as dt

from loopstall.analysis.culprits import Culprit
from loopstall.records.units import counted, format_ns
from loopstall.report.escape import csv_row, github_command, markdown_text
from loopstall.report.stall_document import Session
from loopstall.report.stall_summary import overview
from loopstall.report.stall_text import blamed, culprit_line, described
from loopstall.report.text import working_folder

__all__ = ["annotations", "stalls_to_csv", "stalls_to_github", "stalls_to_markdown"]

_ROWS = 20
_IN_FULL = 3
_ANNOTATED = 10
"""GitHub shows ten annotations of a kind and step."""
_FENCE = "`" * 3
_COLUMNS = (
    "began", "length_ns", "cause", "file", "line", "function", "task", "label", "process", "thread", "test", "over"
)  # fmt: skip


def stalls_to_markdown(session: Session) -> str:
    """Renders the culprits as a table, and the three longest stalls in full."""
    summary = session.summary
    parts = [f"### {markdown_text(session.title)}: {markdown_text(overview(session)[0])}", ""]
    if summary.culprits:
        parts += ["| longest | in all | stalls | cause | line |", "|---|---|---|---|---|"]
        parts += map(_row, summary.culprits[:_ROWS])
    if len(summary.culprits) > _ROWS:
        parts.append(f"\n{counted(len(summary.culprits) - _ROWS, 'more row')} not shown.")
    for seen in summary.longest[:_IN_FULL]:
        parts += ["", f"{_FENCE}text", described(seen).replace(_FENCE, "'''"), _FENCE]
    parts += [f"\n{markdown_text(text)}" for text in session.about]
    return "\n".join(parts) + "\n"


def _row(item: Culprit) -> str:
    where = blamed(item.blame)
    cells = (format_ns(item.longest_ns), format_ns(item.total_ns), str(item.count), item.cause, where)
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def stalls_to_csv(session: Session) -> str:
    """Renders a row for each stall that is kept in full, the longest first; times are UTC."""
    rows = [csv_row(*_COLUMNS)]
    for seen in session.summary.longest:
        frame, stall = seen.blamed, seen.stall
        began = dt.datetime.fromtimestamp(seen.at, tz=dt.UTC).isoformat(timespec="milliseconds")
        where = (frame.file, frame.line, frame.function) if frame is not None else ("", "", "")
        rows.append(
            csv_row(
                began, seen.length_ns, stall.cause, *where, stall.task, stall.label, seen.process, seen.thread,
                seen.test, int(seen.over),
            )
        )  # fmt: skip
    return "".join(rows)


def stalls_to_github(session: Session) -> str:
    """Renders a warning at the line of each of the ten worst culprits."""
    return "".join(f"{line}\n" for line in annotations(session.summary.culprits))


def annotations(culprits: Iterable[Culprit]) -> list[str]:
    """Returns a warning at the line of each of the first ten culprits."""
    return [
        github_command(
            "warning",
            culprit_line(item),
            file=item.frame.file if item.frame is not None else "",
            line=item.frame.line if item.frame is not None else None,
            title="an event loop was blocked",
            root=working_folder(),
        )
        for item in list(culprits)[:_ANNOTATED]
    ]
