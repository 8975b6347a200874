"""The records that travel from stage to stage; each stage returns new ones.

Times are integers in ns while they are measured. A record holds built-in types alone, so that it goes to JSON
and back unchanged.
"""

from dataclasses import dataclass
import hashlib
import re

__all__ = [
    "DESCHEDULED",
    "NOT_TRIED",
    "REGRESSION",
    "SCHEMA_VERSION",
    "STALL",
    "Burst",
    "Cell",
    "Change",
    "Comparison",
    "Environment",
    "Estimate",
    "Evidence",
    "Finding",
    "Frame",
    "Glimpse",
    "Histogram",
    "Load",
    "Measured",
    "Pair",
    "Plan",
    "Reading",
    "Run",
    "RunError",
    "Series",
    "Skipped",
    "Stall",
    "Strategy",
    "Summary",
    "Trend",
    "Value",
    "Verdict",
    "WorkloadRef",
]

SCHEMA_VERSION = 1

STALL, REGRESSION = "stall", "regression"
"""What a verdict can be about."""

NOT_TRIED = "not-tried"
"""The kind of error of a run that was left out because another one had failed."""

DESCHEDULED = "descheduled"
"""The cause of a stall that the machine made, not the program."""

Value = int | float | str | bool
"""What a workload parameter may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRef:
    """Where a workload is found again in any process: the file, and the name it has there."""

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Who drives the coroutines, and how a job gets off that loop or stays on it."""

    loop: str
    dispatch: str

    def __str__(self) -> str:
        return f"{self.loop}/{self.dispatch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How jobs arrive.

    Closed when ``rate`` is None: ``concurrency`` clients, each asking again as soon as it is answered. Open
    otherwise: jobs are due at ``rate`` a second, whatever became of those before. Ends after ``jobs`` jobs, or,
    where that is None, takes no new job after ``seconds``.
    """

    seconds: float | None = None
    jobs: int | None = None
    concurrency: int = 8
    rate: float | None = None
    arrivals: str = "poisson"

    def __str__(self) -> str:
        amount = f"{self.jobs} jobs" if self.jobs is not None else f"{self.seconds:g} s"
        if self.rate is None:
            return f"{amount}, {self.concurrency} at a time"
        return f"{amount}, {self.rate:g}/s {self.arrivals}"


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
        """What makes two cells of different results the same cell, wherever the workload file lies."""
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
class Histogram:
    """A distribution of times in ns as a compressed HdrHistogram (V2 encoding, base64), with its key figures."""

    encoded: str
    count: int
    mean_ns: float
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A bounded series of measured values over time that never loses a maximum.

    Each point stands for a span of ``width_ns``: ``at_ns`` from the start of the measurement, ``peak_ns`` the
    greatest value in it. ``count`` says how many values there were before the reduction.
    """

    width_ns: int
    at_ns: tuple[int, ...]
    peak_ns: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the cause of a stall was judged by: differences over ``window_ns``, which begins shortly before it.

    CPU time of the loop's thread and of the process' other threads; ``run_delay_ns``, for how long the loop's
    thread was ready and had no CPU (None where the system does not tell); for how long a CPU quota stopped the
    process; time in the garbage collector; ``overran_ns``, how much later than asked for the loop came back from
    waiting for events; ``starved_ns``, for how long the watchdog was kept from looking; how many signals asked the
    loop's thread where it was, how many of them came in the middle of something longer than a fraction of a ms, and
    ``unanswered_ns``, for how long they waited in all; of how many ``looks`` from outside how many found it
    computing while the GIL was free; ``syscalls``, what it was waiting in when it was seen: a system call, or ``GIL``.
    """

    duration_ns: int
    threshold_ns: int
    window_ns: int
    own_cpu_ns: int
    other_cpu_ns: int
    run_delay_ns: int | None = None
    throttled_ns: int = 0
    gc_ns: int = 0
    overran_ns: int = 0
    starved_ns: int = 0
    asked: int = 0
    late: int = 0
    unanswered_ns: int = 0
    looks: int = 0
    free: int = 0
    syscalls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """Where the loop's thread was at one moment of a stall, ``at_ns`` from its start.

    ``state`` is the system call that it waited in, ``GIL`` where it waited for that, or ``running``.
    """

    at_ns: int
    culprit: Frame | None
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """One span in which the loop ran no due callback: start from the measurement's start, both in ns.

    ``rule`` says by which comparison of the evidence the cause was chosen; ``task`` and ``coroutine`` name what the
    loop was running; ``glimpses`` split a long stall; ``holder`` is the culprit of the thread that held the GIL,
    where that is the cause, and ``holder_thread`` its name.
    """

    start_ns: int
    duration_ns: int
    cause: str = "unknown"
    rule: str = ""
    culprit: Frame | None = None
    stack: tuple[Frame, ...] = ()
    task: str = ""
    coroutine: str = ""
    glimpses: tuple[Glimpse, ...] = ()
    holder: Frame | None = None
    holder_thread: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a run was measured on."""

    python: str
    implementation: str
    loop: str
    platform: str
    kernel: str
    cpu: str
    cores: int
    governor: str
    load_1min: float | None
    gil: bool
    packages: tuple[tuple[str, str], ...]
    commit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a run failed: a kind for machines, a sentence for people, and the end of what it printed."""

    kind: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A part of a run that was measured by itself: how many jobs took how much wall and CPU time, in ns."""

    jobs: int
    wall_ns: int
    cpu_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of a run that went well."""

    jobs: int
    wall_ns: int
    service: Histogram
    response: Histogram
    lag: Histogram
    lag_uncorrected: Histogram
    response_series: Series
    lag_series: Series
    stalls: tuple[Stall, ...]
    stall_count: int
    stalled_ns: int
    threshold_ns: int
    interval_ns: int
    setup_ns: int
    priming_ns: int
    cpu_user_ns: int
    cpu_system_ns: int
    children_cpu_ns: int
    peak_memory_bytes: int
    switches_voluntary: int
    switches_involuntary: int
    faults: tuple[str, ...] = ()
    descheduled_ns: int = 0
    bursts: tuple[Burst, ...] = ()

    @property
    def throughput(self) -> float:
        """Jobs a second."""
        return self.jobs / (self.wall_ns / 1e9)

    @property
    def time_per_job_ns(self) -> float:
        """Wall time divided by jobs."""
        return self.wall_ns / self.jobs

    @property
    def cpu_per_job_ns(self) -> float:
        """CPU time of the process and its children divided by jobs."""
        return (self.cpu_user_ns + self.cpu_system_ns + self.children_cpu_ns) / self.jobs

    @property
    def availability(self) -> float:
        """Share of the wall time in which the loop was not stalled, 0 to 1."""
        return max(0.0, 1.0 - self.stalled_ns / self.wall_ns)

    @property
    def longest_stall_ns(self) -> int:
        """The longest stall over the threshold, 0 where there was none."""
        return max((stall.duration_ns for stall in self.stalls), default=0)

    @property
    def own_availability(self) -> float:
        """Loop availability without the stalls that the machine made: 0 to 1."""
        return max(0.0, 1.0 - max(0, self.stalled_ns - self.descheduled_ns) / self.wall_ns)

    @property
    def own_stalls(self) -> tuple[Stall, ...]:
        """The stalls kept in full that the machine did not make."""
        return tuple(stall for stall in self.stalls if stall.cause != DESCHEDULED)

    @property
    def longest_own_stall_ns(self) -> int:
        """The longest stall that the machine did not make, 0 where there was none."""
        return max((stall.duration_ns for stall in self.own_stalls), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One cell measured once in a fresh process: figures, or the error that took their place."""

    cell: Cell
    index: int
    seed: int
    started_at: str
    process_ns: int
    environment: Environment | None = None
    measured: Measured | None = None
    error: RunError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two runs of a cell, one a side, that were measured side by side: what a gate judges."""

    base: Run
    head: Run


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
    time_limit_s: float
    memory_limit_bytes: int


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
    """What the runs of one cell come to: estimates by metric, and whether the cell is a trap.

    ``broke`` says how many of the ``runs`` that went well broke the budget, ``why`` what they broke; ``error`` is
    the first failure of the cell, which leaves it without a verdict.
    """

    cell: Cell
    runs: int
    estimates: tuple[tuple[str, Estimate], ...] = ()
    trap: bool = False
    broke: int = 0
    why: str = ""
    culprit: Frame | None = None
    error: RunError | None = None

    def __getitem__(self, metric: str) -> Estimate:
        return dict(self.estimates)[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of one cell on two sides: the ratio head / base, and what is made of it."""

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
    """One metric of one cell on two sides that were measured by turns.

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
    """What the gate says of a cell, which rule said so in a sentence, and where, if a line is to blame.

    The word is one of ``ok``, ``regressed``, ``improved``, ``inconclusive``, ``failed``, ``added``, ``removed``. Of a
    regression ``kind`` says whether it is a ``stall``, ``amount`` then being the longest one's length in ns, or a
    ``regression`` in time, by that share; ``accepted`` says why it is lived with.
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

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"{self.row} · {self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric of one cell in one result of a history: the median over its runs with its interval.

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
    """One metric of one cell on one machine over the commits, and where it changed."""

    row: str
    strategy: str
    load: str
    machine: str
    metric: str
    readings: tuple[Reading, ...]
    changes: tuple[Change, ...]
