"""The process that measures one run: started by the runner, fresh for every run."""

from collections.abc import Callable
import contextlib
from dataclasses import dataclass, replace
from functools import partial
import gc
import os
from pathlib import Path
import sys

from loopstall.dispatch import DISPATCHES, Job
from loopstall.harness import sandbox
from loopstall.harness.failures import explain
from loopstall.harness.imported import imported
from loopstall.harness.load import DISTINCT_SEEDS, NoJobError
from loopstall.harness.measurement import Measurement
from loopstall.harness.turns import Turns
from loopstall.instrument.lifeline import die_with
from loopstall.loops import LOOPS
from loopstall.monitor.gil import has_gil
from loopstall.monitor.outside.link import prepare
from loopstall.records import Cell, Measured
from loopstall.records.clock import Clock, now_ns
from loopstall.runner import protocol
from loopstall.runner.protocol import Outcome, Request
from loopstall.workloads.loader import resolve

__all__ = ["main", "measure"]

_HELPER_S = 1.0  # that whoever looks at the first stall is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """The connection to the runner: turns come from ``orders``, a file; ``tell`` sends a line."""

    orders: int
    tell: Callable[[bytes], object]


def main(folder: str, parent_pid: str, done_writer: str) -> None:
    """Waits for the go-ahead on stdin, measures what the folder's request says and writes the outcome there.

    Args:
        folder: where the request lies and the outcome goes.
        parent_pid: the process whose death ends this one.
        done_writer: file descriptor on which the end of the load is told; empty for none.
    """
    own_pid = os.getpid()
    die_with(int(parent_pid))
    if not sys.stdin.buffer.readline():  # the runner has ended, or needs no other run
        os._exit(0)
    wire = _Wire(orders=_take_stdin(), tell=_teller(done_writer))
    request = protocol.read_request(Path(folder) / protocol.REQUEST)
    sandbox.confine(memory_limit_bytes=request.memory_limit_bytes)
    outcome = Outcome(loop=request.cell.strategy.loop, load_1min=_load_average())
    try:
        outcome = _MEASURES[_kind(request)](request, wire, outcome)
    except BaseException as failure:  # noqa: BLE001  # whatever a job raises is this run's result
        outcome = replace(outcome, error=explain(failure, dispatch=request.cell.strategy.dispatch))
    if os.getpid() != own_pid:  # a job forked and let its copy come home
        os._exit(0)
    try:
        protocol.write(replace(outcome, gil=has_gil(), code=imported()), Path(folder) / protocol.OUTCOME)
    except OSError as failure:
        sys.stderr.write(f"cannot write the result to {folder}: {failure.strerror}; make room or set TMPDIR\n")
        sys.stderr.flush()
        os._exit(1)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(0)  # what a workload left running (threads, atexit hooks) must not hold the matrix up


def _take_stdin() -> int:
    """Returns a file descriptor of what has been stdin, which is empty from now on for jobs."""
    orders = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    return orders


def _teller(done_writer: str) -> Callable[[bytes], object]:
    """Returns a function that sends a line to the runner."""
    if not done_writer:
        return lambda _line: None
    descriptor = int(done_writer)
    os.set_inheritable(descriptor, False)
    return partial(os.write, descriptor)


def _kind(request: Request) -> str:
    """Returns what a request asks for, a key of ``_MEASURES``."""
    if request.probe:
        return "function"
    return "loop" if request.cell.load.heavy is None else "server"


def _measure_loop(request: Request, wire: _Wire, outcome: Outcome) -> Outcome:
    prepare(_HELPER_S)
    measured = measure(
        request.cell,
        seed=request.seed,
        threshold_ns=request.threshold_ns,
        turns=Turns(wire.orders, wire.tell) if request.by_turns else None,
        load_ended=lambda: wire.tell(protocol.ENDED),
    )
    return replace(outcome, measured=measured, loop=LOOPS[request.cell.strategy.loop].version())


def _measure_server(request: Request, wire: _Wire, outcome: Outcome) -> Outcome:
    from loopstall.harness import server  # for servers alone

    turns = Turns(wire.orders, wire.tell) if request.by_turns else None
    measured = server.measure(request.cell, seed=request.seed, threshold_ns=request.threshold_ns, turns=turns)
    return replace(outcome, measured=measured)


def _measure_function(request: Request, _wire: _Wire, outcome: Outcome) -> Outcome:
    from loopstall.harness.profile import probe_cell  # for whoever asks for advice alone

    return replace(outcome, profile=probe_cell(request.cell, seed=request.seed))


_MEASURES: dict[str, Callable[[Request, _Wire, Outcome], Outcome]] = {
    "loop": _measure_loop,
    "server": _measure_server,
    "function": _measure_function,
}
"""The kinds of measurement; each fills in its part of the outcome."""


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
    begun_ns = clock()
    with workload.entered(seed, cell.params) as kwargs:
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
            priming_ns = await _drive(cell, job, measurement, warming, seed=seed, turns=turns, load_ended=load_ended)
            return measurement, priming_ns

        measurement, priming_ns = loop.run(main)
        figures: Measured = measurement.figures(setup_ns=setup_ns, priming_ns=priming_ns, by_turns=turns is not None)
        return figures


async def _drive(
    cell: Cell,
    job: Job,
    measurement: Measurement,
    warming: Measurement,
    *,
    seed: int,
    turns: Turns | None,
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
            assert job.adapter is not None  # every loop has one while it runs
            async for jobs in turns.taken(job.adapter):
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
