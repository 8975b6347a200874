"""The interface of measuring processes to the runners; tests play recorded outcomes through it and start none."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from loopstall.records import Burst
from loopstall.runner.protocol import Outcome, Request
from loopstall.runner.side import Side

__all__ = ["Executor", "Process"]


class Process(Protocol):
    """A measuring process: either ``run``, or ``begin``, any number of ``turn`` and ``end``; ``close`` at last.

    ``run`` and ``begin`` raise ``MeasurementError`` where the request cannot be written.
    """

    def run(self, request: Request, *, limit_s: float, load_ended: Callable[[], None]) -> Outcome:
        """Measures a request as a whole; calls ``load_ended`` when the load is over."""

    def begin(self, request: Request, *, limit_s: float) -> bool:
        """Prepares a request that is measured in turns; returns whether the process is ready."""

    def turn(self, jobs: int, *, limit_s: float) -> Burst | None:
        """Does the next jobs; None where the process ended, hung or failed."""

    def end(self, *, limit_s: float) -> Outcome:
        """Ends the turns and returns what was measured."""

    def close(self) -> None:
        """Ends the process and removes what it left."""


class Executor(AbstractContextManager["Executor"], Protocol):
    """Starts measuring processes while it is entered, and leaves none behind."""

    def start(self, side: Side | None = None) -> Process:
        """Starts a process that runs the code of a side; this interpreter's own for None.

        Raises:
            MeasurementError: it cannot be started.
        """
