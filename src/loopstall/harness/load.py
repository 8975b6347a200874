"""The load: jobs that reach the loop, closed or open, and the log of their outcomes."""

from collections.abc import Awaitable, Callable, Iterator
import contextlib
import itertools
import math
import random
from sys import getsizeof
from typing import Any, Self

from loopstall.dispatch.base import Call
from loopstall.errors import RunFailureError
from loopstall.harness.gauge import Flow
from loopstall.loops import LoopAdapter
from loopstall.monitor.kernel import Alarm, UnavailableError
from loopstall.monitor.series import Peaks, Tally
from loopstall.records import Load
from loopstall.records.clock import Clock, now_ns

__all__ = ["DISTINCT_SEEDS", "JobLog", "NoJobError", "WrongResultError", "drive", "due_times"]

DISTINCT_SEEDS = 2  # jobs of one run cycle through these, so that checking results stays cheap
_HELD_BYTES = 32 * 1024 * 1024  # jobs and results kept until the clock has stopped
_FIELDS = 5
_ENTRY_BYTES = 200  # what a job without its result takes there


class WrongResultError(RunFailureError):
    """A job's result that the workload's ``verify`` does not accept."""

    kind = "wrong-result"


class NoJobError(RunFailureError):
    """A load that ended before its first job."""

    kind = "no-job"


class JobLog:
    """Notes when each job was due, started and ended, and checks every result.

    Counting and checking wait until the clock has stopped, so that they cost the measurement nothing; only what
    does not fit into the memory set aside for it is counted and checked in between.

    Args:
        check: raises where a result of a seed is wrong.
    """

    def __init__(self, check: Callable[[int, Any], None]) -> None:
        self.service = Tally()
        self.response = Tally()
        self.peaks = Peaks()
        self.flow = Flow()
        self._settled = 0
        self._check = check
        self._started_ns = 0
        self._held: list[Any] = []
        self._room = 1

    @property
    def jobs(self) -> int:
        """The number of jobs that have ended."""
        return self._settled + len(self._held) // _FIELDS

    def begin(self, at_ns: int) -> None:
        """Notes the measurement's start; the first one counts."""
        self._started_ns = self._started_ns or at_ns

    def done(self, seed: int, result: Any, due_ns: int, start_ns: int, end_ns: int) -> None:
        """Notes a job that ended."""
        held = self._held
        held += (seed, result, due_ns, start_ns, end_ns)  # flat: a tuple a job would keep the garbage collector busy
        if len(held) >= self._room:
            self._room = _FIELDS * max(1, _HELD_BYTES // (_ENTRY_BYTES + getsizeof(result)))
            if len(held) >= self._room:
                self.settle()

    def settle(self) -> None:
        """Counts and checks what has been noted since the last time."""
        fields, self._held = iter(self._held), []
        for seed, result, due_ns, start_ns, end_ns in zip(*[fields] * _FIELDS, strict=True):
            self._settled += 1
            self.service.add(end_ns - start_ns)
            self.response.add(end_ns - due_ns)
            self.peaks.add(end_ns - self._started_ns, end_ns - due_ns)
            self.flow.add(due_ns - self._started_ns, end_ns - self._started_ns)
            self._check(seed, result)


def due_times(load: Load, seed: int) -> Iterator[int]:
    """Yields when each job of an open load is due, in ns from the start.

    Poisson arrivals have exponentially distributed gaps; constant ones are 1/rate apart.
    """
    assert load.rate is not None
    rng = random.Random(seed)
    at = 0.0
    count = 0
    while load.jobs is None or count < load.jobs:
        at += 1 / load.rate if load.arrivals == "constant" else rng.expovariate(load.rate)
        if load.seconds is not None and load.jobs is None and at > load.seconds:
            return
        count += 1
        yield int(at * 1e9)


async def drive(
    call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, adapter: LoopAdapter, clock: Clock = now_ns
) -> None:
    """Sends the whole load through ``call`` on the running loop, and returns when its last job has ended."""
    driver = _closed if load.rate is None else _open
    await driver(call, load, log, seed=seed, started_ns=started_ns, adapter=adapter, clock=clock)


async def _closed(
    call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, adapter: LoopAdapter, clock: Clock
) -> None:
    seeds: Iterator[int] = itertools.cycle(range(seed, seed + DISTINCT_SEEDS))
    deadline: float = math.inf
    if load.jobs is not None:
        seeds = itertools.islice(seeds, load.jobs)
    else:
        deadline = started_ns + (load.seconds or 0) * 1e9
    done = log.done

    async def client() -> None:
        due = started_ns
        for job_seed in seeds:  # the clients take from one iterator, so that each job is done once
            start = clock()
            result = await call(job_seed)
            end = clock()
            done(job_seed, result, due, start, end)
            if end >= deadline:
                return
            due = end
            # A client's next request reaches a server through the loop, whatever the job did: let it turn.
            await adapter.sleep(0)

    async with adapter.group() as start_task:
        for _ in range(load.concurrency):
            start_task(client)


async def _open(
    call: Call, load: Load, log: JobLog, *, seed: int, started_ns: int, adapter: LoopAdapter, clock: Clock
) -> None:
    async def one(job_seed: int, due: int) -> None:
        start = clock()
        result = await call(job_seed)
        log.done(job_seed, result, due, start, clock())

    with _Arrivals(adapter, clock) as arrivals:
        async with adapter.group() as start_task:
            for number, offset in enumerate(due_times(load, seed)):
                due = started_ns + offset
                await arrivals.until(due)
                start_task(one, seed + number % DISTINCT_SEEDS, due)


class _Arrivals:
    """Waits for the moments at which jobs are due, never for less.

    A timer of the kernel's that the loop reads is exact on every loop. Where there is none the loop's own sleeping has
    to do, which rounds (uvloop to whole ms) and may end early: then it sleeps again.

    Args:
        adapter: of the running loop.
        clock: monotonic time in ns; the kernel's timer stands by ``now_ns`` alone.
    """

    def __init__(self, adapter: LoopAdapter, clock: Clock) -> None:
        self._adapter = adapter
        self._clock = clock
        self._alarm: Alarm | None = None
        if clock is now_ns:
            with contextlib.suppress(UnavailableError):
                self._alarm = Alarm()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def _forget(self) -> None:
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    async def until(self, due_ns: int) -> None:
        """Returns when a moment has come, at once if it is past."""
        while (wait_ns := due_ns - self._clock()) > 0:
            waiting: Awaitable[None] | None = None
            if self._alarm is not None:
                self._alarm.at(due_ns)
                waiting = self._adapter.until_readable(self._alarm.fd)
                if waiting is None:
                    self._forget()
            await (waiting or self._adapter.sleep(wait_ns / 1e9))
