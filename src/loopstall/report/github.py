"""Annotations of a GitHub workflow: of a matrix's findings, and of a gate's verdicts."""

from pathlib import Path

from loopstall.analysis.content import Digest
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.records import Verdict
from loopstall.report.escape import github_command
from loopstall.report.text import working_folder
from loopstall.report.verdict_text import detail, ordered

__all__ = ["gate_to_github", "matrix_to_github"]

_SHOWN = 10
"""GitHub shows ten annotations of a kind and step."""


def _root(made: Digest) -> Path:
    return made.content.root or working_folder()


def matrix_to_github(made: Digest) -> str:
    """Renders an annotation for each of the ten worst traps and failures."""
    bad = [item for item in made.diagnoses if item.cell is not None and item.weight[0] < 2]  # noqa: PLR2004
    return "".join(f"{_of_finding(item, _root(made))}\n" for item in bad[:_SHOWN])


def _of_finding(item: Diagnosis, root: Path) -> str:
    assert item.cell is not None  # those without a cell are left out
    file = item.culprit.file if item.culprit is not None else item.cell.workload.path
    line = item.culprit.line if item.culprit is not None else None
    title = f"{item.rule.name}: {item.cell.row} · {item.cell.strategy}"
    return github_command(
        "error" if item.rule.name == "failed" else "warning",
        f"{item.rule.title}: {item.measured}. {item.advice}",
        file=file, line=line, title=title, root=root,
    )  # fmt: skip


def gate_to_github(made: Digest) -> str:
    """Renders an error for each of the ten worst cells, at the line to blame or the workload's file."""
    worst = [
        item for item in ordered(made.content.verdicts) if item.verdict in {"failed", "regressed"} and not item.accepted
    ]
    return "".join(f"{_of_verdict(item, _root(made))}\n" for item in worst[:_SHOWN])


def _of_verdict(item: Verdict, root: Path) -> str:
    file, line = "", None
    if item.culprit is not None:
        file, line = item.culprit.file, item.culprit.line
    elif item.workload is not None:
        file = item.workload.path
    return github_command("error", detail(item), file=file, line=line, title=f"{item.verdict}: {item.name}", root=root)
