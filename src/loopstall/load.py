"""The load: how jobs reach the loop, closed or open, and the log of what became of them."""

import asyncio
from collections.abc import Callable, Iterator
import random
import sys
from typing import Any

from loopstall.clock import Clock, now_ns
from loopstall.dispatch.base import Call
from loopstall.records import Load
from loopstall.series import Peaks, Tally

__all__ = ["DISTINCT_SEEDS", "JobLog", "WrongResultError", "drive", "due_times"]

DISTINCT_SEEDS = 2  # jobs of one run cycle through these, so that checking results stays cheap
_HELD_BYTES = 16 * 1024 * 1024  # results kept for checking after the clock has stopped
_TOLERANCE_NS = 100_000  # an arrival due within this is not waited for: the loop's timers are no finer


class WrongResultError(Exception):
    """A job's result that the workload's ``verify`` does not accept."""


class JobLog:
    """Notes when each job was due, started and ended, and checks every result.

    Results are checked after the clock has stopped, so that checking costs the measurement nothing; only what
    does not fit into 16 MiB is checked in between.

    Args:
        check: raises where a result of a seed is wrong.
        started_ns: the measurement's start.
    """

    def __init__(self, check: Callable[[int, Any], None], started_ns: int) -> None:
        self.service = Tally()
        self.response = Tally()
        self.peaks = Peaks()
        self.jobs = 0
        self._check = check
        self._started_ns = started_ns
        self._results: list[tuple[int, Any]] = []
        self._held_bytes = 0

    def done(self, seed: int, result: Any, *, due_ns: int, start_ns: int, end_ns: int) -> None:
        """Notes a job that ended."""
        self.jobs += 1
        self.service.add(end_ns - start_ns)
        self.response.add(end_ns - due_ns)
        self.peaks.add(end_ns - self._started_ns, end_ns - due_ns)
        self._results.append((seed, result))
        self._held_bytes += sys.getsizeof(result)
        if self._held_bytes > _HELD_BYTES:
            self.check_results()

    def check_results(self) -> None:
        """Checks what has not been checked yet."""
        results, self._results, self._held_bytes = self._results, [], 0
        for seed, result in results:
            self._check(seed, result)


def due_times(load: Load, seed: int) -> Iterator[int]:
    """Yields when each job of an open load is due, in ns from the start.

    Poisson arrivals have exponentially distributed gaps; constant ones are 1/rate apart.
    """
    assert load.rate is not None  # noqa: S101
    rng = random.Random(seed)
    at = 0.0
    count = 0
    while load.jobs is None or count < load.jobs:
        at += 1 / load.rate if load.arrivals == "constant" else rng.expovariate(load.rate)
        if load.seconds is not None and load.jobs is None and at > load.seconds:
            return
        count += 1
        yield int(at * 1e9)


async def drive(call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, clock: Clock = now_ns) -> None:
    """Sends the whole load through ``call`` and returns when its last job has ended."""
    driver = _closed if load.rate is None else _open
    await driver(call, load, log, seed=seed, started_ns=started_ns, clock=clock)


async def _closed(call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, clock: Clock) -> None:
    deadline = None if load.jobs is not None else started_ns + int((load.seconds or 0) * 1e9)
    taken = 0

    async def client() -> None:
        nonlocal taken
        due = started_ns
        while load.jobs is None or taken < load.jobs:
            job_seed = seed + taken % DISTINCT_SEEDS
            taken += 1
            start = clock()
            result = await call(job_seed)
            end = clock()
            log.done(job_seed, result, due_ns=due, start_ns=start, end_ns=end)
            if deadline is not None and end >= deadline:
                return
            due = end
            # A client's next request reaches a server through the loop, whatever the job did: let it turn.
            await asyncio.sleep(0)

    await _all(client() for _ in range(load.concurrency))


async def _open(call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, clock: Clock) -> None:
    async def one(job_seed: int, due: int) -> None:
        start = clock()
        result = await call(job_seed)
        log.done(job_seed, result, due_ns=due, start_ns=start, end_ns=clock())

    async with asyncio.TaskGroup() as group:
        for number, offset in enumerate(due_times(load, seed)):
            due = started_ns + offset
            wait = due - clock()
            if wait > _TOLERANCE_NS:
                await asyncio.sleep(wait / 1e9)
            group.create_task(one(seed + number % DISTINCT_SEEDS, due))


async def _all(clients: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client)
