"""The interface of a dispatch: a way for a job to leave the loop, or to stay on it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from loopstall.errors import RunFailureError
from loopstall.loops.base import Loop, LoopAdapter
from loopstall.workloads.definition import Workload

__all__ = ["Call", "Dispatch", "DispatchError", "Job"]

Call = Callable[[int], Awaitable[Any]]
"""Does the job of a seed and returns its result."""


class DispatchError(RunFailureError):
    """A process or a service that a dispatch needs did not start, cannot be reached or has ended."""

    kind = "dispatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The arguments of a dispatch: a workload, its keyword arguments, the number of jobs at a time, and the loop.

    ``adapter`` is the running loop's, None for one of asyncio's kind. ``seeds`` are of the jobs that each worker does
    before the clock starts; none where the workload is one whose first job matters.
    """

    workload: Workload
    kwargs: dict[str, Any]
    concurrency: int
    loop: str = "asyncio"
    adapter: LoopAdapter | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A way for a job to leave the loop, or to stay on it.

    ``missing`` returns why this machine or this workload cannot have it, or None. ``open`` is entered inside
    the running loop before the clock starts, makes and primes what it needs, and gives a ``Call``. ``on_request``
    leaves it out of the default matrix. ``also_on`` names the loops not of asyncio's kind that it runs on; it runs on
    all that are of that kind.
    """

    name: str
    summary: str
    missing: Callable[[Workload], str | None]
    open: Callable[[Job], AbstractAsyncContextManager[Call]]
    on_request: bool = False
    also_on: tuple[str, ...] = ()

    def runs_on(self, loop: Loop) -> bool:
        """Says whether jobs on a loop can be dispatched so."""
        return loop.make is not None or loop.name in self.also_on
