"""One cell in a fresh process: whatever the workload does there, what comes back is a Run."""

from collections import deque
import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
import itertools
import secrets
import subprocess
import sys
from types import TracebackType
from typing import Self

from loopstall import guardian
from loopstall.clock import now_ns
from loopstall.errors import MeasurementError
from loopstall.process import MeasuringProcess
from loopstall.protocol import Request
from loopstall.records import Cell, Environment, Run

__all__ = ["Limits", "Runner"]

_AHEAD = 2
"""Processes started at a time: two import in the time of one where there are two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use, and from when a lag is a stall."""

    time_limit_s: float
    memory_limit_bytes: int
    threshold_ns: int


class Runner:
    """Measures cells, one fresh process after the other; a context manager that leaves no process behind.

    Processes of the next runs start while the last one sums up and then wait, so that none is ever busy under
    another one's load.

    Args:
        environment: what every run's record says of the machine.
        limits: the bounds of each run.
    """

    def __init__(self, environment: Environment, limits: Limits) -> None:
        self._environment = environment
        self._limits = limits
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._guardian: subprocess.Popen[str] | None = None
        self._ahead: deque[MeasuringProcess] = deque()

    def __enter__(self) -> Self:
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, self._token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._ahead:
            self._ahead.popleft().close()
        watcher, self._guardian = self._guardian, None
        if watcher is not None and watcher.stdin is not None:
            with contextlib.suppress(OSError):
                watcher.stdin.close()
            watcher.wait()

    def run(self, cell: Cell, *, index: int, seed: int) -> Run:
        """Measures a cell once.

        Args:
            cell: what to measure.
            index: which of the sample's runs this is.
            seed: what the run's jobs and arrivals follow from.

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
            outcome = process.run(request, limit_s=self._limits.time_limit_s, load_ended=self._start_ahead)
        except OSError as error:
            raise MeasurementError(f"cannot write a request for a measuring process: {error}; make room") from error
        finally:
            process.close()
        environment = replace(self._environment, loop=outcome.loop, load_1min=outcome.load_1min)
        return Run(
            cell=cell,
            index=index,
            seed=seed,
            started_at=started_at,
            process_ns=now_ns() - begun_ns,
            environment=environment,
            measured=outcome.measured,
            error=outcome.error,
        )

    def _start_ahead(self) -> None:
        """Starts the next processes, unless one is waiting already."""
        if self._ahead:
            return
        try:
            for _ in range(_AHEAD):
                self._ahead.append(MeasuringProcess(f"{self._token}-{next(self._numbers)}"))
        except OSError as error:
            if not self._ahead:
                text = f"cannot start a measuring process: {error}; make room or set TMPDIR"
                raise MeasurementError(text) from error
        if self._guardian is not None and self._guardian.stdin is not None:
            with contextlib.suppress(OSError):
                self._guardian.stdin.writelines(f"{process.pid}\n" for process in self._ahead)
                self._guardian.stdin.flush()
