"""The process that measures one run: started by the runner, fresh for every run."""

from collections.abc import Callable
import contextlib
from dataclasses import replace
import gc
import os
from pathlib import Path
import sys

from loopstall.dispatch import DISPATCHES, Job
from loopstall.errors import RunFailureError
from loopstall.harness import sandbox
from loopstall.harness.failures import explain
from loopstall.harness.load import DISTINCT_SEEDS
from loopstall.harness.measurement import Measurement
from loopstall.harness.turns import Turns
from loopstall.loops import LOOPS, LoopAdapter
from loopstall.monitor.gil import has_gil
from loopstall.records import Cell, Measured, Profile, RunError
from loopstall.records.clock import Clock, now_ns
from loopstall.runner import protocol
from loopstall.runner.protocol import Outcome
from loopstall.workloads.loader import resolve

__all__ = ["NoJobError", "main", "measure"]


class NoJobError(RunFailureError):
    """An open load that ended before its first arrival."""

    kind = "no-job"


def main(folder: str, parent_pid: str, done_writer: str) -> None:
    """Waits for the go-ahead on stdin, measures what the folder's request says and writes the outcome there.

    Args:
        folder: where the request lies and the outcome goes.
        parent_pid: the process whose death ends this one.
        done_writer: file descriptor on which the end of the load is told; empty for none.
    """
    own_pid = os.getpid()
    sandbox.die_with(int(parent_pid))
    if not sys.stdin.buffer.readline():  # the runner has ended, or needs no other run
        os._exit(0)
    orders = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    if done_writer:
        os.set_inheritable(int(done_writer), False)
    request = protocol.read_request(Path(folder) / protocol.REQUEST)
    sandbox.confine(memory_limit_bytes=request.memory_limit_bytes)
    loop_name = request.cell.strategy.loop
    load_1min = _load_average()
    measured: Measured | None = None
    profile: Profile | None = None
    error: RunError | None = None

    def tell(line: bytes) -> None:
        if done_writer:
            os.write(int(done_writer), line)

    try:
        if request.probe:
            from loopstall.harness.profile import probe_cell  # for whoever asks for advice alone

            profile = probe_cell(request.cell, seed=request.seed)
        elif request.cell.load.heavy is not None:
            from loopstall.harness import server as serving  # for servers alone

            measured = serving.measure(request.cell, seed=request.seed, threshold_ns=request.threshold_ns)
        else:
            measured = measure(
                request.cell,
                seed=request.seed,
                threshold_ns=request.threshold_ns,
                turns=Turns(orders, tell) if request.by_turns else None,
                load_ended=lambda: tell(protocol.ENDED),
            )
            loop_name = LOOPS[loop_name].version()
    except BaseException as failure:  # noqa: BLE001  # whatever a job raises is this run's result
        error = explain(failure, dispatch=request.cell.strategy.dispatch)
    if os.getpid() != own_pid:  # a job forked and let its copy come home
        os._exit(0)
    outcome = Outcome(
        loop=loop_name, load_1min=load_1min, measured=measured, error=error, profile=profile, gil=has_gil()
    )
    try:
        protocol.write(outcome, Path(folder) / protocol.OUTCOME)
    except OSError as failure:
        sys.stderr.write(f"cannot write the result to {folder}: {failure.strerror}; make room or set TMPDIR\n")
        sys.stderr.flush()
        os._exit(1)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(0)  # what a workload left running (threads, atexit hooks) must not hold the matrix up


def measure(
    cell: Cell,
    *,
    seed: int,
    threshold_ns: int,
    turns: Turns | None = None,
    load_ended: Callable[[], object] = lambda: None,
    clock: Clock = now_ns,
) -> Measured:
    """Measures one cell once in this process.

    Args:
        cell: what to measure.
        seed: what jobs and arrivals follow from.
        threshold_ns: from when a lag is a stall.
        turns: who says when a burst of how many jobs begins; None for the cell's own load, at once.
        load_ended: called when the last figure has been taken.
        clock: monotonic time in ns.

    Raises:
        BaseException: whatever a job, the workload's context or its verify raised.
    """
    workload = resolve(cell.workload.path, cell.workload.name)
    params = dict(cell.params)
    begun_ns = clock()
    with contextlib.ExitStack() as stack:
        extra = stack.enter_context(workload.make_context(seed, **params)) if workload.make_context else None
        kwargs = {**params, **(extra or {})}
        setup_ns = clock() - begun_ns
        loop = LOOPS[cell.strategy.loop]
        seeds = tuple(range(seed, seed + DISTINCT_SEEDS)) if workload.primed else ()

        async def main() -> tuple[Measurement, int]:
            adapter = loop.adapter()
            job = Job(
                workload=workload,
                kwargs=kwargs,
                concurrency=cell.load.concurrency,
                loop=cell.strategy.loop,
                adapter=adapter,
                seeds=seeds,
            )
            measurement, warming = (
                Measurement(workload, kwargs, threshold_ns=threshold_ns, adapter=adapter, clock=clock) for _ in range(2)
            )
            priming_ns = await _drive(
                cell, job, measurement, warming, seed=seed, turns=turns, adapter=adapter, load_ended=load_ended
            )
            return measurement, priming_ns

        measurement, priming_ns = loop.run(main)
        figures: Measured = measurement.figures(setup_ns=setup_ns, priming_ns=priming_ns)
        return figures


async def _drive(
    cell: Cell,
    job: Job,
    measurement: Measurement,
    warming: Measurement,
    *,
    seed: int,
    turns: Turns | None,
    adapter: LoopAdapter,
    load_ended: Callable[[], object],
) -> int:
    """Puts the load on the running loop and returns how long it took to open the dispatch and to prime it, in ns.

    One job of each seed is done before the clock starts, with the monitor on: what the first one imports, compiles,
    caches or connects to is no part of what a job takes. A workload whose first job is what matters says so.
    """
    begun_ns = now_ns()
    async with DISPATCHES[cell.strategy.dispatch].open(job) as call:
        first = replace(cell.load, jobs=DISTINCT_SEEDS, seconds=None, rate=None, concurrency=1)
        await warming.burst(call if job.seeds else _nothing, first, seed=seed)
        gc.collect()  # what starting up has left behind is no part of a job either
        priming_ns = now_ns() - begun_ns
        if turns is None:
            await measurement.burst(call, cell.load, seed=seed)
        else:
            async for jobs in turns.taken(adapter):
                chosen = measurement if jobs > 0 else warming
                turns.answer(await chosen.burst(call, replace(cell.load, jobs=abs(jobs), seconds=None), seed=seed))
        load_ended()
    if not measurement.jobs:
        raise NoJobError(f"no job was due within {cell.load}; raise --rate or --seconds")
    return priming_ns


async def _nothing(seed: int) -> int:
    """Stands for a job where none may be done yet."""
    return seed


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
