"""The exchange with a server process: its job and its answer, as files in a folder that both sides know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
import os
from pathlib import Path
import pickle
from typing import Any

import msgspec

from loopstall.records import Stall
from loopstall.records.clock import now_ns
from loopstall.records.encoding import encode
from loopstall.workloads.loader import resolve

__all__ = ["VARIABLE", "ServerJob", "StallWriter", "read", "ready", "seed_of", "stalls_told", "write"]

VARIABLE = "LOOPSTALL_SERVES"
_ORDER = "order.pickle"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerJob:
    """The heavy route's work.

    Args:
        path: the workload's file.
        name: its name there.
        kwargs: the keyword arguments of every job.
        dispatch: the way off the server's loop.
        threshold_ns: the span without progress from which there is a stall.
    """

    path: str
    name: str
    kwargs: dict[str, Any]
    dispatch: str
    threshold_ns: int

    def job(self) -> Callable[[int], Any]:
        """Returns what does the job of a seed in this thread, and holds its result against the workload's verify."""
        workload = resolve(self.path, self.name)

        def work(seed: int) -> Any:
            return self.checked(seed, workload.function(seed, **self.kwargs))

        return work

    def checked(self, seed: int, result: Any) -> Any:
        """Returns a result.

        Raises:
            ValueError: it is not what the workload accepts.
        """
        verify = resolve(self.path, self.name).checker
        if verify is not None and not verify(result, seed, **self.kwargs):
            raise ValueError(f"the job of seed {seed} returned what verify does not accept")
        return result


def write(order: ServerJob, folder: Path) -> None:
    """Writes an order for ``read``."""
    (folder / _ORDER).write_bytes(pickle.dumps(order))


def read() -> ServerJob:
    """Reads the order of this process, whose folder the environment names."""
    order: ServerJob = pickle.loads((_folder() / _ORDER).read_bytes())  # noqa: S301  # our parent's
    return order


def ready() -> None:
    """Reports that this process can answer."""
    (_folder() / f"ready-{os.getpid()}").touch()


def seed_of(target: str) -> int:
    """Returns the seed in a request's target: ``/heavy?seed=7``."""
    return int(target.rpartition("=")[2])


class StallWriter:
    """Writes the stalls of this process down as they end, a line each: it may be killed at any time."""

    def __init__(self) -> None:
        self._file = (_folder() / f"stalls-{os.getpid()}").open("ab", buffering=0)

    def tell(self, stall: Stall) -> None:
        """Writes a stall that has just ended."""
        started_ns = now_ns() - stall.duration_ns
        self._file.write(encode(replace(stall, start_ns=started_ns)) + b"\n")


def stalls_told(folder: Path) -> Iterator[Stall]:
    """Yields the stalls that processes have written, with their beginnings on the machine's monotonic clock."""
    for path in sorted(folder.glob("stalls-*")):
        for line in path.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Stall)
            except msgspec.MsgspecError:
                continue  # the last line of one that was killed


def _folder() -> Path:
    return Path(os.environ[VARIABLE])
