"""Runs: a cell measured once, in a process of its own."""

from dataclasses import dataclass

from loopstall.records.cells import Cell
from loopstall.records.stalls import DESCHEDULED, Stall

__all__ = [
    "NOT_TRIED",
    "Burst",
    "Code",
    "Course",
    "Environment",
    "Histogram",
    "Measured",
    "Module",
    "Noise",
    "Pair",
    "Run",
    "RunError",
    "Series",
]

NOT_TRIED = "not-tried"
"""The kind of error of a run that was left out because another one had failed."""


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
class Course:
    """A figure over the time of a run: ``at_ns`` from the start of the measurement, and a value for each."""

    at_ns: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine, the Python and the packages of a run."""

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
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """The failure of a run: a kind for machines, a sentence for people, and the end of what it printed."""

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
class Noise:
    """The share of the machine that other programs had during a measurement.

    Args:
        wall_ns: the length of the measurement.
        delay_ns: the time that the measuring thread was ready to run without a CPU.
        others_ns: CPU time of other programs, and of other guests of a virtual machine's host, on ``cores``.
        cores: the CPUs that this process may use.
    """

    wall_ns: int
    delay_ns: int
    others_ns: int
    cores: int

    @property
    def delay_share(self) -> float:
        """Run delay over wall time."""
        return self.delay_ns / max(1, self.wall_ns)

    @property
    def others_share(self) -> float:
        """CPU time of others over what all cores have."""
        return self.others_ns / max(1, self.wall_ns * self.cores)


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
    light: int = 0
    """Of a server: light requests that were answered; their waiting is its lag."""
    errors: int = 0
    """Of a server: requests that were not answered, or not well."""
    noise: Noise | None = None
    """The noise of the machine meanwhile; None where the system does not record it."""
    began_at: float = 0.0
    """The begin of the load, in seconds since 1970, UTC; 0 where that was not recorded."""
    cpu: Course = Course()
    """CPU time of the process since the moment before, as a share of one core; its children's is no part of it."""
    memory: Course = Course()
    """Resident memory of the process in bytes."""
    in_flight: Course = Course()
    """Jobs that were due and had not ended."""

    @property
    def throughput(self) -> float:
        """Jobs a second."""
        return self.jobs / (self.wall_ns / 1e9)

    @property
    def time_per_job_ns(self) -> float:
        """Wall time divided by jobs; the mean response time on a server, where jobs come at a rate of their own."""
        return self.response.mean_ns if self.light else self.wall_ns / self.jobs

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
class Module:
    """A module that a process imported: its name, the file that it came from, and the hash of what is in it."""

    name: str
    file: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code that a process of a comparison ran.

    Args:
        modules: those of the project, from a folder of either side, the workload file left out.
        outside: the other top-level modules beside the standard library and loopstall, each with its file or folder.
    """

    modules: tuple[Module, ...] = ()
    outside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A cell measured once in a fresh process: figures, or the error that took their place.

    ``code`` says what a process of a comparison imported; None outside of one.
    """

    cell: Cell
    index: int
    seed: int
    started_at: str
    process_ns: int
    environment: Environment | None = None
    measured: Measured | None = None
    error: RunError | None = None
    code: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two runs of a cell, one a side, that were measured side by side: what a gate judges."""

    base: Run
    head: Run
