"""The gate's verdicts as annotations of a GitHub workflow."""

from collections.abc import Sequence
from pathlib import Path

from loopstall.records import Verdict
from loopstall.report.escape import github_command
from loopstall.report.verdict_text import detail, ordered

__all__ = ["to_github"]

_SHOWN = 10
"""GitHub shows ten annotations of a kind and step."""


def to_github(verdicts: Sequence[Verdict], *, root: Path) -> str:
    """Renders an error for each of the ten worst cells, at the line to blame or the workload's file.

    Args:
        verdicts: a matrix.
        root: the checkout, to which the paths are relative.
    """
    worst = [item for item in ordered(verdicts) if item.verdict in {"failed", "regressed"} and not item.accepted]
    return "".join(f"{_annotation(item, root)}\n" for item in worst[:_SHOWN])


def _annotation(item: Verdict, root: Path) -> str:
    file, line = "", None
    if item.culprit is not None:
        file, line = item.culprit.file, item.culprit.line
    elif item.workload is not None:
        file = item.workload.path
    return github_command("error", detail(item), file=file, line=line, title=f"{item.verdict}: {item.name}", root=root)
