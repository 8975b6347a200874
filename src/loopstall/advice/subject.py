"""The subject of advice, a function or a workload, and the time that finding out may take.

It hands on cells of the subject under each dispatch, and measures nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
import time

from loopstall.errors import InputError
from loopstall.loops import asyncio_loop
from loopstall.records import Cell, Load, Strategy, WorkloadRef
from loopstall.records.cells import INLINE
from loopstall.workloads import function
from loopstall.workloads.definition import Workload

__all__ = ["Allowance", "Subject", "of_function", "of_workload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The subject of a measurement: a workload with parameters, and the user's name for it."""

    target: str
    workload: Workload
    params: tuple[tuple[str, int | float | str | bool], ...]

    def cell(self, dispatch: str, load: Load) -> Cell:
        """Returns the cell of one way."""
        return Cell(
            workload=WorkloadRef(path=self.workload.path, name=self.workload.name),
            params=self.params,
            strategy=Strategy(loop=asyncio_loop.LOOP.name, dispatch=dispatch),
            load=load,
        )


def of_function(target: str, given: str) -> Subject:
    """Returns what stands for a function with arguments, both as the user wrote them."""
    return Subject(target=target, workload=function.call, params=(("target", target), ("given", given)))


def of_workload(workload: Workload, params: tuple[tuple[str, int | float | str | bool], ...]) -> Subject:
    """Returns what stands for a workload at one point of its parameters.

    Raises:
        InputError: it has no synchronous side there, and so nothing that could be got off a loop.
    """
    subject = Subject(target=workload.name, workload=workload, params=params)
    row = subject.cell(INLINE, Load(jobs=1)).row
    why_not = workload.why_not(INLINE, dict(params))
    if why_not is not None:
        raise InputError(f"there is nothing to advise on {row}: {why_not}; name one with a synchronous side")
    return replace(subject, target=row)


class Allowance:
    """The time limit of the whole, from now on.

    Args:
        seconds: as the user said.
        clock: monotonic time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 where it is over."""
        return self._end - self._clock()
