"""Measures a cell in a fresh process and returns a Run, whatever the workload does there."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
import math
from types import TracebackType
from typing import Self

from loopstall.errors import MeasurementError
from loopstall.records import Cell, Environment, Plan, Run
from loopstall.records.clock import now_ns
from loopstall.runner.executor import Executor, Process
from loopstall.runner.launcher import Launcher
from loopstall.runner.protocol import Outcome, Request

__all__ = ["Limits", "Runner", "record"]

_AHEAD = 2
"""The number of processes that are started at a time: on two cores, two import in the time of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a run, and the threshold of a stall."""

    time_limit_s: float
    memory_limit_bytes: int
    threshold_ns: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Returns what each run of a plan may use."""
        return cls(
            time_limit_s=plan.time_limit_s,
            memory_limit_bytes=plan.memory_limit_bytes,
            threshold_ns=plan.threshold_ns,
        )


class Runner:
    """Measures cells, one fresh process after the other; a context manager that leaves no process behind.

    Processes of the next runs start while the last one sums up and then wait, so that none is ever busy under
    another one's load.

    Args:
        environment: the machine, for every run's record.
        limits: the bounds of each run.
        executor: starts the processes; real ones for None.
    """

    def __init__(self, environment: Environment, limits: Limits, executor: Executor | None = None) -> None:
        self._environment = environment
        self._limits = limits
        self._executor = Launcher() if executor is None else executor
        self._ahead: deque[Process] = deque()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._ahead:
            self._ahead.popleft().close()
        self._executor.__exit__(kind, error, trace)

    @property
    def time_limit_s(self) -> float:
        """The time limit of each run."""
        return self._limits.time_limit_s

    def run(self, cell: Cell, *, index: int, seed: int, limit_s: float = math.inf) -> Run:
        """Measures a cell once.

        Args:
            cell: the cell to measure.
            index: the number of the run within the sample.
            seed: the seed of the run's jobs and arrivals.
            limit_s: its time limit, where that is less than the common one.

        Raises:
            MeasurementError: no process can be started, or no temporary file written.
        """
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        begun_ns = now_ns()
        request = Request(
            cell=cell,
            seed=seed,
            threshold_ns=self._limits.threshold_ns,
            memory_limit_bytes=self._limits.memory_limit_bytes,
        )
        self._start_ahead()
        process = self._ahead.popleft()
        try:
            outcome = process.run(
                request, limit_s=min(limit_s, self._limits.time_limit_s), load_ended=self._start_ahead
            )
        finally:
            process.close()
        return record(
            cell,
            outcome,
            self._environment,
            index=index,
            seed=seed,
            started_at=started_at,
            process_ns=now_ns() - begun_ns,
        )

    def _start_ahead(self) -> None:
        """Starts the next processes, unless one is waiting already."""
        if self._ahead:
            return
        try:
            for _ in range(_AHEAD):
                self._ahead.append(self._executor.start())
        except MeasurementError:
            if not self._ahead:
                raise


def record(
    cell: Cell,
    outcome: Outcome,
    environment: Environment,
    *,
    index: int,
    seed: int,
    started_at: str,
    process_ns: int,
) -> Run:
    """Returns the run that an outcome is.

    Args:
        cell: the measured cell.
        outcome: the answer of the process, or the reason why there is none.
        environment: of all runs; the loop's version, the load and the GIL are this one's own.
        index: the number of the run within the sample.
        seed: the seed of its jobs and arrivals.
        started_at: when, in ISO 8601.
        process_ns: the time of the process as a whole.
    """
    return Run(
        cell=cell,
        index=index,
        seed=seed,
        started_at=started_at,
        process_ns=process_ns,
        environment=replace(
            environment,
            loop=outcome.loop or cell.strategy.loop,
            load_1min=outcome.load_1min,
            gil=environment.gil if outcome.gil is None else outcome.gil,
        ),
        measured=outcome.measured,
        error=outcome.error,
        code=outcome.code,
    )
