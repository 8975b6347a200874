"""The matrix under pytest-benchmark: one benchmark a workload row and strategy.

A round is eight jobs at a time on a loop that runs on in a thread of its own; loop lag and stalls of all rounds
stand in ``extra_info``. Run it with: pytest -p benchmark bench/test_matrix.py --benchmark-autosave
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
import threading
from typing import Any

import pytest

from loopstall.dispatch import DISPATCHES, Job
from loopstall.loops import LOOPS
from loopstall.monitor import LagMeter, Monitor
from loopstall.records import Cell, Load
from loopstall.records.clock import NS_PER_MS
from loopstall.runner.matrix import build, strategies
from loopstall.stats import histogram
from loopstall.workloads.loader import find, resolve

JOBS = 8
ITEMS = find(())
CELLS, SKIPPED = build(ITEMS, {item.name: item.grids for item in ITEMS}, strategies(), Load(jobs=JOBS))
BY_NAME = {(cell.row, str(cell.strategy)): cell for cell in CELLS}


@contextmanager
def running(cell: Cell, seen: dict[str, Any]) -> Iterator[Callable[[], list[Any]]]:
    """Runs the cell's loop in a thread and gives a function that does one round of jobs on it.

    Args:
        cell: what to run.
        seen: gets what the loop was like, once it has ended.
    """
    workload = resolve(cell.workload.path, cell.workload.name)
    params = dict(cell.params)
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Callable[[int], Awaitable[Any]]]] = Future()

    async def serve(kwargs: dict[str, Any]) -> None:
        ended = asyncio.Event()
        adapter = LOOPS[cell.strategy.loop].adapter()
        job = Job(workload=workload, kwargs=kwargs, concurrency=JOBS, loop=cell.strategy.loop)
        async with DISPATCHES[cell.strategy.dispatch].open(job) as call:
            monitor, meter = Monitor(), LagMeter(later=adapter.later)
            monitor.start(adapter.watched)
            meter.start()
            ready.set_result((asyncio.get_running_loop(), ended, call))
            await ended.wait()
            meter.stop()
            monitor.stop()
        lag = histogram.from_counts(meter.lags.counts(), expected_interval_ns=meter.interval_ns)
        seen["loop_lag_p50_ms"] = lag.p50_ns / NS_PER_MS
        seen["loop_lag_p99_ms"] = lag.p99_ns / NS_PER_MS
        seen["stalls"] = monitor.stall_log.count
        seen["stalled_ms"] = monitor.stall_log.total_ns / NS_PER_MS
        seen["longest_stall_ms"] = max((stall.duration_ns for stall in monitor.stall_log), default=0) / NS_PER_MS

    with ExitStack() as stack:
        extra = stack.enter_context(workload.make_context(1, **params)) if workload.make_context else None
        kwargs = {**params, **(extra or {})}

        def main() -> None:
            try:
                LOOPS[cell.strategy.loop].run(lambda: serve(kwargs))
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)

        thread = threading.Thread(target=main)
        thread.start()
        loop, ended, call = ready.result(60)

        async def jobs() -> list[Any]:
            return await asyncio.gather(*(call(1) for _ in range(JOBS)))

        try:
            yield lambda: asyncio.run_coroutine_threadsafe(jobs(), loop).result()
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join()
            assert workload.checker is not None
            assert workload.checker(workload(1, **kwargs), 1, **kwargs)


@pytest.mark.parametrize(("row", "strategy"), BY_NAME)
def test_cell(benchmark: Any, row: str, strategy: str) -> None:
    """Times rounds of jobs of one cell."""
    cell = BY_NAME[row, strategy]
    seen: dict[str, Any] = {}
    benchmark.group = cell.row
    with running(cell, seen) as one_round:
        results = benchmark.pedantic(one_round, rounds=5, warmup_rounds=1)
    assert len(results) == JOBS
    benchmark.extra_info.update(seen)


@pytest.mark.parametrize("left_out", SKIPPED, ids=[f"{item.cell.row}-{item.cell.strategy}" for item in SKIPPED])
def test_skipped(left_out: Any) -> None:
    """Says why a cell is not measured."""
    pytest.skip(left_out.reason)
