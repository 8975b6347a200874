"""Estimates, comparisons, verdicts and trends: the judgement of runs."""

from dataclasses import dataclass

from loopstall.records.cells import Cell, WorkloadRef
from loopstall.records.runs import RunError
from loopstall.records.stalls import Frame

__all__ = [
    "BROKEN",
    "REGRESSION",
    "STALL",
    "UNCOMPARED",
    "Change",
    "Comparison",
    "Estimate",
    "Finding",
    "Reading",
    "Summary",
    "Trend",
    "Verdict",
]

STALL, REGRESSION = "stall", "regression"
"""The kinds of a regression."""

BROKEN = "baseline-broken"
"""The verdict on a cell whose workload the baseline has and cannot load."""

UNCOMPARED = frozenset({"added", "removed", BROKEN})
"""The verdicts on cells that one side alone can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value over the runs of a sample with its interval and the confidence that the interval really has."""

    value: float
    low: float
    high: float
    confidence: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The summary of a cell's runs: estimates by metric, and whether the cell is a trap.

    ``broke`` says how many of the ``runs`` that went well broke the budget, ``why`` in words what the first did, and
    ``broken`` which metrics any did; ``error`` is the first failure of the cell, which leaves it without a verdict.
    """

    cell: Cell
    runs: int
    estimates: tuple[tuple[str, Estimate], ...] = ()
    trap: bool = False
    broke: int = 0
    why: str = ""
    broken: tuple[str, ...] = ()
    culprit: Frame | None = None
    error: RunError | None = None

    def __getitem__(self, metric: str) -> Estimate:
        return dict(self.estimates)[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric of a cell on two sides: the ratio head / base, and its verdict."""

    row: str
    strategy: str
    metric: str
    base: Estimate | None = None
    head: Estimate | None = None
    ratio: Estimate | None = None
    verdict: str
    rule: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A metric of a cell on two sides that were measured in pairs.

    ``change`` is relative, 0.1 for ten percent more, or in points of a share; positive where the candidate is worse.
    ``p`` is corrected for all tests of the matrix, None where the metric was not tested.
    """

    metric: str
    base: float
    head: float
    change: Estimate
    effect: float
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's verdict on a cell, the rule that decided in a sentence, and the line to blame, if there is one.

    The word is one of ``ok``, ``regressed``, ``improved``, ``inconclusive``, ``failed``, ``added``, ``removed``,
    ``baseline-broken``. Of a regression ``kind`` says whether it is a ``stall``, ``amount`` then being the longest
    one's length in ns, or a ``regression`` in time, by that share; ``accepted`` says why it is accepted. ``code`` says
    whether the modules of the project that the sides imported were ``different`` or the ``same``, or that there was
    ``none``; "" where it is not known.
    """

    row: str
    strategy: str
    workload: WorkloadRef | None = None
    verdict: str
    rule: str
    findings: tuple[Finding, ...] = ()
    pairs: int = 0
    culprit: Frame | None = None
    stack: tuple[Frame, ...] = ()
    accepted: str = ""
    kind: str = ""
    amount: float = 0.0
    code: str = ""

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"{self.row} · {self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A metric of a cell in one result of a history: the median over its runs with its interval.

    Times are ISO 8601, UTC; ``commit`` and ``committed_at`` are empty where they are not known.
    """

    row: str
    strategy: str
    load: str
    metric: str
    value: float
    low: float
    high: float
    runs: int
    measured_at: str
    commit: str
    committed_at: str
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A new level of a series: the index of its first value, and the medians before and after."""

    at: int
    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A metric of a cell on one machine over the commits, and its changes of level."""

    row: str
    strategy: str
    load: str
    machine: str
    metric: str
    readings: tuple[Reading, ...]
    changes: tuple[Change, ...]
