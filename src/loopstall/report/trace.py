"""Runs as Chrome trace events, which Perfetto opens: a process a run, stalls as slices, loop lag as a counter."""

from collections.abc import Iterator
from typing import Any

from loopstall.analysis.content import Digest
from loopstall.records import Measured, Series
from loopstall.records.encoding import encode
from loopstall.report.escape import json_text, printable

__all__ = ["to_trace"]

_LOOP, _HOLDER = 1, 2
"""Threads of each process: the loop's own, and the holder of the GIL."""


def to_trace(made: Digest) -> str:
    """Renders trace events.

    Loop iterations and jobs are not kept one by one: the peaks of loop lag and of response time over time stand for
    them, as counters.
    """
    events: list[dict[str, Any]] = []
    for number, run in enumerate(made.content.runs, 1):
        if run.measured is None:
            continue
        name = printable(f"{run.cell.row} · {run.cell.strategy}, run {run.index}")
        events.append(_named("process_name", number, 0, name))
        events.append(_named("thread_name", number, _LOOP, "event loop"))
        if any(stall.holder is not None for stall in run.measured.stalls):
            events.append(_named("thread_name", number, _HOLDER, "GIL held by another thread"))
        events += _stalls(run.measured, number)
        events += _counter("loop lag (ms)", run.measured.lag_series, number)
        events += _counter("response time (ms)", run.measured.response_series, number)
    return json_text(encode({"traceEvents": events, "displayTimeUnit": "ms"}).decode())


def _named(kind: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def _stalls(measured: Measured, pid: int) -> Iterator[dict[str, Any]]:
    for stall in measured.stalls:
        span = {"ph": "X", "cat": "stall", "pid": pid, "ts": stall.start_ns / 1e3, "dur": stall.duration_ns / 1e3}
        where = printable(str(stall.culprit)) if stall.culprit is not None else "no stack was seen"
        told = {
            "culprit": where,
            "rule": printable(stall.rule),
            "task": printable(stall.task),
            "stack": [printable(str(frame)) for frame in stall.stack],
        }
        yield {**span, "tid": _LOOP, "name": printable(f"stall: {stall.cause}"), "args": told}
        if stall.holder is not None:
            held = {"thread": printable(stall.holder_thread)}
            yield {**span, "tid": _HOLDER, "name": printable(str(stall.holder)), "args": held}


def _counter(name: str, series: Series, pid: int) -> Iterator[dict[str, Any]]:
    for at_ns, peak_ns in zip(series.at_ns, series.peak_ns, strict=True):
        yield {"ph": "C", "name": name, "pid": pid, "tid": 0, "ts": at_ns / 1e3, "args": {"peak": peak_ns / 1e6}}
