"""The fixture ``loop_benchmark``: pytest-benchmark's, timing what is awaited inside a loop that runs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
import contextlib
import gc
import inspect
import multiprocessing
import os
from types import TracebackType
from typing import Any, Self

import pytest

from loopstall.errors import did_you_mean
from loopstall.loops import LOOPS
from loopstall.monitor.core import Monitor
from loopstall.monitor.lag import LagMeter
from loopstall.records import Frame
from loopstall.records.clock import NS_PER_MS, now_ns
from loopstall.report.text import place

__all__ = ["DISPATCHES", "LoopBenchmark"]

_WATCHED_NS = 300 * NS_PER_MS
_LEAST_CALLS = 5

DISPATCHES = ("inline", "to_thread", "threads", "processes")
"""Places where a call can run: the loop, the default executor, a pool of threads or of spawned processes."""

_Call = Callable[[], Coroutine[Any, Any, Any]]


class LoopBenchmark:
    """Benchmarks a coroutine function in a running loop, once.

    ``stats``, ``group`` and ``extra_info`` are those of pytest-benchmark's fixture.

    Args:
        benchmark: that fixture.
    """

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._benchmark, name)

    def __call__(
        self,
        function: Callable[..., Any],
        *args: Any,
        loop: str = "asyncio",
        dispatch: str = "inline",
        **kwargs: Any,
    ) -> Any:
        """Measures ``await function(*args, **kwargs)`` and returns its last result.

        After the rounds, which nothing watches, it goes on under the monitor for 0.3 s: loop lag, availability and
        stalls of that are in ``extra_info``.

        Args:
            function: a coroutine function; or a plain one, which is called on the loop or where the dispatch has it.
            args: its arguments.
            loop: ``asyncio`` or ``uvloop``; where that one is missing, the test is skipped.
            dispatch: one of ``DISPATCHES``; off the loop a coroutine function runs in a loop of its own.
            kwargs: its keyword arguments.
        """
        loops = [name for name, item in LOOPS.items() if item.make is not None]
        for name, known in ((loop, loops), (dispatch, DISPATCHES)):
            if name not in known:
                pytest.fail(f"loop_benchmark knows no {name!r}; {did_you_mean(name, known)}", pytrace=False)
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            pytest.fail("loop_benchmark runs a loop of its own: use it in a test that is a plain def", pytrace=False)
        reason = LOOPS[loop].missing()
        if reason:
            pytest.skip(reason)
        runner = self._opened.enter_context(asyncio.Runner(loop_factory=LOOPS[loop].make))
        call = self._dispatched(runner.get_loop(), dispatch, function, args, kwargs)
        runner.run(call())  # pools are made when they are first asked
        self._benchmark._make_runner = lambda *_: _rounds(self._benchmark, runner, call)  # noqa: SLF001  # no other way in
        result = self._benchmark(lambda: runner.run(call()))
        if self._benchmark.enabled:
            about = {"loop": LOOPS[loop].version(), "dispatch": dispatch}
            self._benchmark.extra_info.update(about, **runner.run(_watched(call)))
        return result

    def _dispatched(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatch: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> _Call:
        if dispatch == "inline":
            if inspect.iscoroutinefunction(function):
                return lambda: function(*args, **kwargs)

            async def called() -> Any:
                return function(*args, **kwargs)

            return called
        pool: Executor | None = None
        if dispatch == "threads":
            pool = self._opened.enter_context(ThreadPoolExecutor(os.cpu_count()))
        elif dispatch == "processes":
            spawn = multiprocessing.get_context("spawn")
            pool = self._opened.enter_context(ProcessPoolExecutor(os.cpu_count(), mp_context=spawn))

        async def sent() -> Any:
            return await loop.run_in_executor(pool, _whole, function, args, kwargs)

        return sent


def _whole(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Runs a function where it was sent to, a coroutine function in a loop of its own."""
    if inspect.iscoroutinefunction(function):
        return asyncio.run(function(*args, **kwargs))
    return function(*args, **kwargs)


def _rounds(benchmark: Any, runner: asyncio.Runner, call: _Call) -> Callable[..., Any]:
    """Returns what pytest-benchmark runs a round with: the clock is read inside the loop, on both sides."""

    async def timed(loops: Iterable[int], timer: Callable[[], float]) -> tuple[float, Any]:
        result = None
        start = timer()
        for _ in loops:
            result = await call()
        return timer() - start, result

    def run(loops: Iterable[int] | None, timer: Callable[[], float] = benchmark._timer) -> Any:  # noqa: SLF001
        collecting = gc.isenabled()
        if benchmark._disable_gc:  # noqa: SLF001
            gc.disable()
        try:
            taken, result = runner.run(timed(loops or range(1), timer))
        finally:
            if collecting:
                gc.enable()
        return taken if loops else (taken, result)

    return run


async def _watched(call: _Call) -> dict[str, Any]:
    """Goes on for a while under the monitor, and says what the loop was like."""
    lag, monitor = LagMeter(), Monitor()
    monitor.start()
    lag.start(monitor.expect)
    began_ns, calls = now_ns(), 0
    while now_ns() - began_ns < _WATCHED_NS or calls < _LEAST_CALLS:
        await call()
        await asyncio.sleep(0)
        calls += 1
    lag.stop()
    monitor.stop()
    lags = sorted((length, count) for length, count in lag.lags.counts())
    kept_ns = sum(length * count for length, count in monitor.spans.counts())
    lost_ns: Counter[tuple[str, Frame | None]] = Counter()
    for stall in monitor.stall_log:
        lost_ns[stall.cause, stall.holder or stall.culprit] += stall.duration_ns
    cause, blamed = max(lost_ns, key=lambda key: lost_ns[key], default=("", None))  # not of one that chance made long
    return {
        "calls": calls,
        "loop_lag_p50_ms": _percentile(lags, 0.50) / NS_PER_MS,
        "loop_lag_p99_ms": _percentile(lags, 0.99) / NS_PER_MS,
        "loop_lag_max_ms": _percentile(lags, 1.0) / NS_PER_MS,
        "availability": max(0.0, 1 - kept_ns / monitor.wall_ns),
        "stalls": monitor.stall_log.count,
        "stalled_ms": monitor.stall_log.total_ns / NS_PER_MS,
        "longest_stall_ms": max((stall.duration_ns for stall in monitor.stall_log), default=0) / NS_PER_MS,
        "cause": cause,
        "culprit": place(blamed) if blamed is not None else "",
    }


def _percentile(counts: Sequence[tuple[int, int]], share: float) -> int:
    """Returns the value that a share of all is at most, by nearest rank."""
    total, seen = sum(count for _, count in counts), 0
    for value, count in counts:
        seen += count
        if seen >= share * total:
            return value
    return counts[-1][0] if counts else 0
