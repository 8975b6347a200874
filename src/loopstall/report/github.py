"""The gate's verdicts as annotations of a GitHub workflow."""

from collections.abc import Sequence
from pathlib import Path

from loopstall.records import Verdict
from loopstall.report.text import printable
from loopstall.report.verdicts import detail, ordered

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
    fields: list[tuple[str, str]] = []
    if item.culprit is not None:
        fields += [("file", _relative(item.culprit.file, root)), ("line", str(item.culprit.line))]
    elif item.workload is not None:
        fields.append(("file", _relative(item.workload.path, root)))
    fields.append(("title", f"{item.verdict}: {item.name}"))
    written = ",".join(f"{name}={_property(printable(value))}" for name, value in fields)
    return f"::error {written}::{_data(detail(item))}"


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _data(text: str) -> str:
    """Escapes a message as GitHub's toolkit does (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
