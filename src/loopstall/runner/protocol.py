"""The protocol between a measuring process and the runner: one file each way, and turns.

A turn is a line with a number of jobs on the process' stdin, answered by the line of a ``Burst`` on its pipe; a
number below zero is of jobs that warm up and are not counted, and 0 ends the run. Before the first turn it says that
it is ready.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from loopstall.records import Burst, Cell, Code, Measured, Profile, RunError
from loopstall.records.cells import ASYNC, OLDER_ASYNC
from loopstall.records.encoding import encode

__all__ = [
    "ENDED",
    "OUTCOME",
    "READY",
    "REQUEST",
    "Outcome",
    "Request",
    "burst_line",
    "read_burst",
    "read_outcome",
    "read_request",
    "write",
]

REQUEST = "request.json"
OUTCOME = "outcome.json"
READY = b"ready\n"
ENDED = b"ended\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A measurement to do, with its bounds."""

    cell: Cell
    seed: int
    threshold_ns: int
    memory_limit_bytes: int
    by_turns: bool = False
    probe: bool = False
    """The function is to be measured by itself, without a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a request: figures or an error, the real loop, whether there was a GIL, and the code that ran."""

    loop: str
    load_1min: float | None
    measured: Measured | None = None
    error: RunError | None = None
    profile: Profile | None = None
    gil: bool | None = None
    code: Code | None = None


def burst_line(burst: Burst) -> bytes:
    """Returns the answer to a turn."""
    return b"%d %d %d\n" % (burst.jobs, burst.wall_ns, burst.cpu_ns)


def read_burst(line: bytes) -> Burst:
    """Reads what ``burst_line`` wrote.

    Raises:
        ValueError: it is something else.
    """
    jobs, wall_ns, cpu_ns = map(int, line.split())
    return Burst(jobs=jobs, wall_ns=wall_ns, cpu_ns=cpu_ns)


def write(message: Request | Outcome, path: Path) -> None:
    """Writes a message so that a reader of the file finds all of it or nothing."""
    plain = msgspec.to_builtins(message)
    if isinstance(message, Request) and message.cell.strategy.dispatch == ASYNC:
        plain["cell"]["strategy"]["dispatch"] = OLDER_ASYNC  # the other side of a gate may have an older loopstall
    draft = path.with_suffix(".draft")
    draft.write_bytes(encode(plain))
    draft.replace(path)


def read_request(path: Path) -> Request:
    """Reads what ``write`` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Request)


def read_outcome(path: Path) -> Outcome:
    """Reads what ``write`` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Outcome)
