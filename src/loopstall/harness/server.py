"""Measures a server: starts it, puts the load on it from outside, and sums up what its clients saw.

The light requests are to a server what the heartbeat is to a loop: how long one waits is the lag, and a time in which
one that was due had to wait for longer than the threshold is a stall. The heavy requests are the jobs.
"""

import asyncio
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import replace
import os
from pathlib import Path
import socket
import subprocess
import sys
import tempfile
import time

from loopstall.errors import RunFailureError
from loopstall.harness.client import Answer, ask, drive, plan
from loopstall.monitor import StallLog
from loopstall.monitor.series import Peaks, Tally
from loopstall.records import DESCHEDULED, Cell, Histogram, Measured, Series, Stall
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.runner.usage import children_usage
from loopstall.servers import SERVERS, Server, handshake
from loopstall.stats import histogram
from loopstall.workloads.loader import resolve

__all__ = ["ServerError", "measure"]

_STALLS = 100  # kept in full
_START_LIMIT_S = 30.0
_POLL_S = 0.02
_STOP_S = 5.0
_ANSWER_LIMIT_S = 10.0
_WARM_UP = 2  # heavy requests a worker, before the clock starts
_OUTPUT_CHARS = 2_000
_FAULTS = 5


class ServerError(RunFailureError):
    """A server that does not start, or answers nothing."""

    kind = "server"


def measure(cell: Cell, *, seed: int, threshold_ns: int) -> Measured:
    """Measures one server once, from this process.

    Args:
        cell: the heavy route's work, the server and dispatch as its strategy, and the load.
        seed: what arrivals and jobs follow from.
        threshold_ns: from when on a light request has waited too long.

    Raises:
        ServerError: the server does not start or answers no heavy request.
        BaseException: whatever the workload's context raises.
    """
    workload = resolve(cell.workload.path, cell.workload.name)
    params = dict(cell.params)
    server = SERVERS[cell.strategy.loop]
    begun_ns = now_ns()
    with contextlib.ExitStack() as stack:
        extra = stack.enter_context(workload.make_context(seed, **params)) if workload.make_context else None
        setup_ns = now_ns() - begun_ns
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loopstall-serves-")))
        handshake.write(
            handshake.ServerJob(
                path=cell.workload.path,
                name=cell.workload.name,
                kwargs={**params, **(extra or {})},
                dispatch=cell.strategy.dispatch,
                threshold_ns=threshold_ns,
            ),
            folder,
        )
        port = stack.enter_context(_running(server, folder))
        priming_ns = now_ns() - begun_ns - setup_ns
        planned = list(plan(cell.load, seed))
        warmed = asyncio.run(_warm(port, server.workers, seed))
        cpu_before, _ = children_usage()
        started_ns = now_ns()
        answers = asyncio.run(drive(port, planned, started_ns=started_ns, limit_s=_ANSWER_LIMIT_S))
        wall_ns = now_ns() - started_ns
        cpu_after, memory_bytes = children_usage()
        seen = [stall for stall in handshake.stalls_told(folder) if stall.start_ns >= started_ns]
    if not any(answer.heavy and not answer.error for answer in answers):
        why = next((answer.error for answer in answers if answer.error), warmed)
        raise ServerError(f"no heavy request was answered ({why or 'none was due; raise --rate or --seconds'})")
    spans = list(_waiting(answers, threshold_ns))
    stall_log = StallLog(_STALLS)
    for stall in seen or [_from_outside(begin, end) for begin, end in spans]:
        stall_log.add(replace(stall, start_ns=stall.start_ns - started_ns))
    light, heavy = ([one for one in answers if one.heavy == wanted and not one.error] for wanted in (False, True))
    lag = [one.end_ns - one.due_ns for one in light]
    return Measured(
        jobs=len(heavy),
        wall_ns=wall_ns,
        service=_histogram([one.end_ns - one.sent_ns for one in heavy]),
        response=_histogram([one.end_ns - one.due_ns for one in heavy]),
        lag=_histogram(lag),
        lag_uncorrected=_histogram([one.end_ns - one.sent_ns for one in light]),
        response_series=_series(heavy, started_ns),
        lag_series=_series(light, started_ns),
        stalls=tuple(stall_log),
        stall_count=stall_log.count,
        stalled_ns=min(wall_ns, sum(end - begin for begin, end in spans)),
        threshold_ns=threshold_ns,
        interval_ns=int(NS_PER_S / (cell.load.rate or 1.0)),
        setup_ns=setup_ns,
        priming_ns=priming_ns,
        cpu_user_ns=0,
        cpu_system_ns=0,
        children_cpu_ns=cpu_after - cpu_before,
        peak_memory_bytes=memory_bytes,
        switches_voluntary=0,
        switches_involuntary=0,
        descheduled_ns=min(stall_log.ns_by_cause[DESCHEDULED], wall_ns),
        light=len(light),
        errors=sum(bool(one.error) for one in answers),
        faults=tuple(dict.fromkeys(one.error for one in answers if one.error))[:_FAULTS],
    )


def _waiting(answers: Sequence[Answer], threshold_ns: int) -> Iterator[tuple[int, int]]:
    """Yields the spans in ns in which a light request that was due had to wait for longer than a threshold."""
    spans = sorted(
        (one.due_ns, one.end_ns) for one in answers if not one.heavy and one.end_ns - one.due_ns > threshold_ns
    )
    begin = end = 0
    for due_ns, end_ns in spans:
        if due_ns > end:
            if end:
                yield begin, end
            begin = due_ns
        end = max(end, end_ns)
    if end:
        yield begin, end


def _from_outside(begin: int, end: int) -> Stall:
    """Returns a stall of a server that has no loop to look into."""
    return Stall(
        start_ns=begin,
        duration_ns=end - begin,
        cause="unknown",
        rule="light requests that were due in this time had to wait; the server has no event loop to look into",
        label="GET /light",
    )


def _histogram(values: Sequence[int]) -> Histogram:
    tally = Tally()
    for value in values:
        tally.add(value)
    return histogram.from_counts(tally.counts())


def _series(answers: Sequence[Answer], started_ns: int) -> Series:
    peaks = Peaks()
    for one in answers:
        peaks.add(max(0, one.end_ns - started_ns), one.end_ns - one.due_ns)
    return peaks.series()


async def _warm(port: int, workers: int, seed: int) -> str:
    """Has every worker answer before the clock starts, and returns what went wrong, if something did."""
    targets = ["/light", *[f"/heavy?seed={seed}"] * (_WARM_UP * workers)]
    errors = [await ask(port, target, limit_s=_ANSWER_LIMIT_S) for target in targets]
    return next(filter(None, errors), "")


@contextlib.contextmanager
def _running(server: Server, folder: Path) -> Iterator[int]:
    """Starts a server, gives its port when all of its workers can answer, and ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            [sys.executable, *server.command(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, handshake.VARIABLE: str(folder)},
        )
        try:
            _await_ready(server, process, folder)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(server: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while len(list(folder.glob("ready-*"))) < server.workers:
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            printed = (folder / "output").read_text("utf-8", "replace").strip()[-_OUTPUT_CHARS:]
            last = printed.splitlines()[-1] if printed else "it printed nothing"
            how = f"ended with status {process.returncode}" if ended else f"was not ready within {_START_LIMIT_S:g} s"
            raise ServerError(f"the server {server.name} {how}; its last words: {last}")
        time.sleep(_POLL_S)
