"""Two live processes, one a side, that take turns at the same jobs: a disturbance hits both."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
import math
import random

from loopstall.records import NOT_TRIED, Cell, Environment, Pair, RunError
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.runner.executor import Executor, Process
from loopstall.runner.protocol import Outcome, Request
from loopstall.runner.side import Side
from loopstall.runner.single import Limits, record

__all__ = ["BURST_S", "PairedRunner"]

BURST_S = 0.02
"""The length of a burst: long beside a clock's step and a timer's slack, short beside a drift of the machine."""

_CALIBRATIONS = 3  # the first jobs of a process are slow

_STRETCH, _FEWEST_TURNS = 2, 3
"""Slow jobs, whose bursts are longer, have fewer turns in a pair: what takes that many times as long, but so many at
least. A burst of many times the length averages over as many of the machine's disturbances."""


class PairedRunner:
    """Measures pairs.

    Args:
        executor: starts the processes, and leaves none behind.
        environment: the machine, for every run's record.
        limits: the bounds of each process.
        sides: baseline and candidate.
        turns: bursts a side in a pair; fewer where jobs are slow.
    """

    def __init__(
        self, executor: Executor, environment: Environment, limits: Limits, sides: tuple[Side, Side], *, turns: int
    ) -> None:
        self._executor = executor
        self._environment = environment
        self._limits = limits
        self._sides = sides
        self._turns = turns
        self._jobs: dict[Cell, int] = {}

    def measure(self, cells: tuple[Cell, Cell], *, index: int, seed: int) -> Pair:
        """Measures one pair.

        Args:
            cells: the cell as the one side and the other find it; they differ in the workload's path at most.
            index: the number of the pair within the cell.
            seed: the seed of both sides' jobs and of the order of turns.

        Raises:
            MeasurementError: no process can be started, or no temporary file written.
        """
        chance = random.Random(seed)
        begun_ns = now_ns()
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        order = chance.sample((0, 1), 2)
        processes: dict[int, Process] = {}
        try:
            for side in order:  # both start and import at once
                processes[side] = self._executor.start(self._sides[side])
            self._begin(processes, cells, seed)
            if self._warm_up(processes, cells[0]):
                self._alternate(processes, cells[0], chance)
            outcomes = _blamed([processes[side].end(limit_s=self._limits.time_limit_s) for side in (0, 1)])
        finally:
            for process in processes.values():
                process.close()
        process_ns = now_ns() - begun_ns
        base, head = (
            record(
                cell, outcome, self._environment,
                index=index, seed=seed, started_at=started_at, process_ns=process_ns,
            )
            for cell, outcome in zip(cells, outcomes, strict=True)
        )  # fmt: skip
        return Pair(base=base, head=head)

    def _begin(self, processes: dict[int, Process], cells: Sequence[Cell], seed: int) -> None:
        for side, process in processes.items():
            request = Request(
                cell=cells[side],
                seed=seed,
                threshold_ns=self._limits.threshold_ns,
                memory_limit_bytes=self._limits.memory_limit_bytes,
                by_turns=True,
            )
            process.begin(request, limit_s=self._limits.time_limit_s)

    def _warm_up(self, processes: dict[int, Process], cell: Cell) -> bool:
        """Lets each side do jobs that do not count; the first pair shows how many a burst takes.

        Returns:
            False where a side failed.
        """
        if cell.load.heavy is not None:  # a server's load says how long a slice with one heavy request is
            self._jobs[cell] = 1
        known = self._jobs.get(cell)
        jobs = known or cell.load.concurrency
        for _ in range(1 if known else _CALIBRATIONS):
            bursts = [process.turn(-jobs, limit_s=self._limits.time_limit_s) for process in processes.values()]
            walls = [burst.wall_ns for burst in bursts if burst is not None]
            if len(walls) < len(bursts):
                return False
            if not known:
                jobs = _burst(cell, jobs / max(1, *walls))
                if max(walls) > _STRETCH * BURST_S * NS_PER_S and jobs == _burst(cell, 0):
                    break  # slow jobs: there are no fewer of them in a burst
        self._jobs[cell] = jobs
        return True

    def _alternate(self, processes: dict[int, Process], cell: Cell, chance: random.Random) -> None:
        """Gives each side its turns, each time in random order, until one fails or slow jobs have had time enough.

        An open load has all its turns: it is its rate that makes them long.
        """
        jobs = self._jobs[cell]
        left_ns = _STRETCH * 2 * self._turns * BURST_S * NS_PER_S if cell.load.rate is None else math.inf
        for number in range(1, self._turns + 1):
            for side in chance.sample((0, 1), 2):
                burst = processes[side].turn(jobs, limit_s=self._limits.time_limit_s)
                if burst is None:
                    return
                left_ns -= burst.wall_ns
            if left_ns <= 0 and number >= _FEWEST_TURNS:
                return


def _blamed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Takes the blame from a side that could do no job because the other one failed."""
    failed = any(outcome.error is not None and outcome.error.kind != "no-job" for outcome in outcomes)
    spared = RunError(kind=NOT_TRIED, message="not tried, because the other side failed")
    return [
        replace(outcome, error=spared) if failed and outcome.error and outcome.error.kind == "no-job" else outcome
        for outcome in outcomes
    ]


def _burst(cell: Cell, jobs_per_ns: float) -> int:
    """Returns how many jobs a burst has: as many as take its time, in whole rounds of all clients.

    Jobs that run one after the other on the loop anyway need no whole rounds.
    """
    clients = 1 if cell.strategy.inline else cell.load.concurrency
    return clients * max(1, round(jobs_per_ns * BURST_S * 1e9 / clients))
