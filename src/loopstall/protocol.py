"""What the runner and the process that measures one run say to each other: one file each way."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from loopstall.records import Cell, Measured, RunError

__all__ = ["OUTCOME", "REQUEST", "Outcome", "Request", "read_outcome", "read_request", "write"]

REQUEST = "request.json"
OUTCOME = "outcome.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be measured, and within which bounds."""

    cell: Cell
    seed: int
    threshold_ns: int
    memory_limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: figures or an error, and the loop that it really ran on."""

    loop: str
    load_1min: float | None
    measured: Measured | None = None
    error: RunError | None = None


def write(message: Request | Outcome, path: Path) -> None:
    """Writes a message so that whoever reads the file finds all of it or nothing."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(message))
    draft.replace(path)


def read_request(path: Path) -> Request:
    """Reads what ``write`` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Request)


def read_outcome(path: Path) -> Outcome:
    """Reads what ``write`` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Outcome)
