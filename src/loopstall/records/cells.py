"""Cells: workloads, strategies and loads, and a plan of them."""

from dataclasses import dataclass
import hashlib
import re
from typing import Any

__all__ = [
    "ASYNC",
    "INLINE",
    "OLDER_ASYNC",
    "Cell",
    "Load",
    "Plan",
    "Skipped",
    "Strategy",
    "Value",
    "WorkloadRef",
    "dispatch_named",
    "strategy_shown",
]

Value = int | float | str | bool
"""The types of a workload parameter."""

INLINE, ASYNC = "inline", "async"
"""The dispatches that leave a job in the loop's thread; the others get it off."""

OLDER_ASYNC = "native"
"""The name of ``ASYNC`` before version 0.1, which older files, settings and versions of loopstall have."""


def dispatch_named(name: str) -> str:
    """Returns the dispatch of a name, also of an older one."""
    return ASYNC if name == OLDER_ASYNC else name


def strategy_shown(text: str) -> str:
    """Returns a strategy as it is shown, also one that an older file has written."""
    loop, slash, dispatch = text.rpartition("/")
    return f"{loop}{slash}{dispatch_named(dispatch)}"


_LOAD = re.compile(
    r"(?:(?P<jobs>\d+) jobs|(?P<seconds>[\d.e+-]+) s), (?:(?P<concurrency>\d+) at a time"
    r"|(?P<rate>[\d.e+-]+)/s (?P<arrivals>\w+)(?:, (?P<heavy>[\d.e+-]+) of them heavy)?)"
)
"""A load in words, as ``str`` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRef:
    """A reference to a workload that any process can load: the file, and the name in it."""

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A loop, which drives the coroutines, and a dispatch, by which a job leaves that loop or stays on it.

    A file that has the older name of a dispatch is read with the newer one.
    """

    loop: str
    dispatch: str

    def __post_init__(self) -> None:
        if self.dispatch == OLDER_ASYNC:
            object.__setattr__(self, "dispatch", ASYNC)

    @property
    def on_loop(self) -> bool:
        """True where a job runs in the loop's own thread, rather than in a pool, a process or a queue."""
        return self.dispatch in {INLINE, ASYNC}

    @property
    def inline(self) -> bool:
        """True where a job is a plain call in the loop's own thread, so that jobs run one after the other."""
        return self.dispatch == INLINE

    def __str__(self) -> str:
        return f"{self.loop}/{self.dispatch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The arrival of jobs.

    Closed when ``rate`` is None: ``concurrency`` clients, each asking again as soon as it is answered. Open
    otherwise: jobs are due at ``rate`` a second, whether or not those before have ended. Ends after ``jobs`` jobs, or,
    where that is None, takes no new job after ``seconds``. On a server ``heavy`` is the share of requests that do a
    job; the others are light.
    """

    seconds: float | None = None
    jobs: int | None = None
    concurrency: int = 8
    rate: float | None = None
    arrivals: str = "poisson"
    heavy: float | None = None

    def __str__(self) -> str:
        amount = f"{self.jobs} jobs" if self.jobs is not None else f"{self.seconds:g} s"
        if self.rate is None:
            return f"{amount}, {self.concurrency} at a time"
        heavy = f", {self.heavy:.3g} of them heavy" if self.heavy is not None else ""
        return f"{amount}, {self.rate:g}/s {self.arrivals}{heavy}"

    @classmethod
    def parse(cls, text: str) -> "Load":
        """Returns the load that is written so.

        Raises:
            ValueError: it is not.
        """
        found = _LOAD.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no load")
        amount: dict[str, Any] = {"jobs": int(found["jobs"])} if found["jobs"] else {"seconds": float(found["seconds"])}
        if found["concurrency"]:
            return cls(**amount, concurrency=int(found["concurrency"]))
        heavy = float(found["heavy"]) if found["heavy"] else None
        return cls(**amount, rate=float(found["rate"]), arrivals=found["arrivals"], heavy=heavy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A workload with its parameters, a strategy and a load: what is measured."""

    workload: WorkloadRef
    params: tuple[tuple[str, Value], ...] = ()
    strategy: Strategy
    load: Load
    control: bool = False

    @property
    def row(self) -> str:
        """The workload and its parameters, as a table names its rows."""
        inside = ", ".join(f"{name}={value}" for name, value in self.params)
        return f"{self.workload.name}[{inside}]" if inside else self.workload.name

    @property
    def name(self) -> str:
        """The cell in words: row, strategy and load."""
        return f"{self.row} · {self.strategy} · {self.load}"

    @property
    def key(self) -> tuple[str, str, str]:
        """The identity of a cell across results, wherever the workload file lies."""
        return (self.row, str(self.strategy), str(self.load))

    @property
    def slug(self) -> str:
        """A short file name that no other cell of a matrix has."""
        text = "\0".join((self.workload.path, *self.key))
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
        words = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.workload.name} {self.strategy}").strip("-")
        return f"{words[:60]}-{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A cell that is not measured, and why."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a results folder needs to be completed later: the cells, the seed and the limits."""

    name: str
    created_at: str
    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...] = ()
    processes: int
    seed: int
    threshold_ns: int
    budget_stall_ns: int
    budget_availability: float
    budgets: tuple[tuple[str, int, float], ...] = ()
    """Of single workloads, by name: the longest stall in ns and the least availability."""
    time_limit_s: float
    memory_limit_bytes: int
