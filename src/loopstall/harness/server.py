"""Measures a server: starts it, puts the load on it from outside and ends it.

It hands on what its clients saw, which ``server_figures`` sums up, and knows nothing of how a server runs its routes.
"""

import asyncio
from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import socket
import subprocess
import sys
import tempfile
import time

from loopstall.errors import RunFailureError
from loopstall.harness.client import ask, drive, plan
from loopstall.harness.server_figures import Observed, sum_up
from loopstall.records import Cell, Measured
from loopstall.records.clock import now_ns
from loopstall.runner.usage import children_usage
from loopstall.servers import SERVERS, Server, handshake
from loopstall.workloads.loader import resolve

__all__ = ["ServerError", "measure"]

_START_LIMIT_S = 30.0
_POLL_S = 0.02
_STOP_S = 5.0
_ANSWER_LIMIT_S = 10.0
_WARM_UP = 2  # heavy requests a worker, before the clock starts
_OUTPUT_CHARS = 2_000


class ServerError(RunFailureError):
    """A server that does not start, or answers nothing."""

    kind = "server"


def measure(cell: Cell, *, seed: int, threshold_ns: int) -> Measured:
    """Measures one server once, from this process.

    Args:
        cell: the heavy route's work, the server and dispatch as its strategy, and the load.
        seed: the seed of arrivals and jobs.
        threshold_ns: the wait of a light request from which it is a stall.

    Raises:
        ServerError: the server does not start or answers no heavy request.
        BaseException: whatever the workload's context raises.
    """
    return sum_up(_observe(cell, seed=seed, threshold_ns=threshold_ns), cell.load, threshold_ns=threshold_ns)


def _observe(cell: Cell, *, seed: int, threshold_ns: int) -> Observed:
    """Starts the server, puts the load on it and ends it; arguments and errors are those of ``measure``."""
    workload = resolve(cell.workload.path, cell.workload.name)
    server = SERVERS[cell.strategy.loop]
    begun_ns = now_ns()
    with workload.entered(seed, cell.params) as kwargs, _folder() as folder:
        setup_ns = now_ns() - begun_ns
        job = handshake.ServerJob(
            path=cell.workload.path,
            name=cell.workload.name,
            kwargs=kwargs,
            dispatch=cell.strategy.dispatch,
            threshold_ns=threshold_ns,
        )
        handshake.write(job, folder)
        with _running(server, folder) as port:
            priming_ns = now_ns() - begun_ns - setup_ns
            planned = list(plan(cell.load, seed))
            warmed = asyncio.run(_warm(port, server.workers, seed))
            cpu_before, _ = children_usage()
            started_ns = now_ns()
            answers = asyncio.run(drive(port, planned, started_ns=started_ns, limit_s=_ANSWER_LIMIT_S))
            wall_ns = now_ns() - started_ns
            cpu_after, memory_bytes = children_usage()
            stalls = [stall for stall in handshake.stalls_told(folder) if stall.start_ns >= started_ns]
    if not any(answer.heavy and not answer.error for answer in answers):
        why = next((answer.error for answer in answers if answer.error), warmed)
        raise ServerError(f"no heavy request was answered ({why or 'none was due; raise --rate or --seconds'})")
    return Observed(
        answers=answers,
        stalls=stalls,
        started_ns=started_ns,
        wall_ns=wall_ns,
        setup_ns=setup_ns,
        priming_ns=priming_ns,
        children_cpu_ns=cpu_after - cpu_before,
        peak_memory_bytes=memory_bytes,
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Gives a temporary folder in which this process and the server's leave messages for each other."""
    with tempfile.TemporaryDirectory(prefix="loopstall-serves-") as name:
        yield Path(name)


async def _warm(port: int, workers: int, seed: int) -> str:
    """Asks every worker for an answer before the clock starts, and returns the failure, if there is one."""
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
