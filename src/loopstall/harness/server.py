"""Measures a server: starts it, puts the load on it from outside and ends it.

It hands on what its clients saw, which ``server_figures`` sums up, and knows nothing of how a server runs its routes.
"""

import asyncio
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass, replace
import os
from pathlib import Path
import socket
import subprocess
import sys
import tempfile
import time

from loopstall.errors import RunFailureError
from loopstall.harness.client import Answer, Planned, ask, drive, plan
from loopstall.harness.load import NoJobError
from loopstall.harness.server_figures import Observed, sum_up
from loopstall.harness.turns import Turns
from loopstall.loops import LOOPS
from loopstall.records import Burst, Cell, Load, Measured
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
_MIDDLE = 0.5  # of a period with one heavy request


class ServerError(RunFailureError):
    """A server that does not start, or answers nothing."""

    kind = "server"


def measure(cell: Cell, *, seed: int, threshold_ns: int, turns: Turns | None = None) -> Measured:
    """Measures one server once, from this process.

    Args:
        cell: the heavy route's work, the server and dispatch as its strategy, and the load.
        seed: the seed of arrivals and jobs.
        threshold_ns: the wait of a light request from which it is a stall.
        turns: who says when a slice of the load with how many heavy requests begins; None for the whole load, at once.

    Raises:
        ServerError: the server does not start or answers no heavy request, or by turns fails any request.
        BaseException: whatever the workload's context raises.
    """
    seen = _observe(cell, seed=seed, threshold_ns=threshold_ns, turns=turns)
    return sum_up(seen, cell.load, threshold_ns=threshold_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """A span of load: the answers to its requests, when it began, how long it took and the CPU time of the server.

    ``began_at`` is when it began in seconds since 1970, UTC.
    """

    answers: list[Answer]
    started_ns: int
    began_at: float
    wall_ns: int
    cpu_ns: int

    @property
    def burst(self) -> Burst:
        """The heavy requests with the sum of their response times, which waiting for arrivals is no part of."""
        heavy = [one.end_ns - one.due_ns for one in self.answers if one.heavy]
        return Burst(jobs=len(heavy), wall_ns=sum(heavy), cpu_ns=self.cpu_ns)

    def holds(self, at_ns: int) -> bool:
        """Returns whether a moment lies within."""
        return self.started_ns <= at_ns < self.started_ns + self.wall_ns


def _observe(cell: Cell, *, seed: int, threshold_ns: int, turns: Turns | None) -> Observed:
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
            warmed = asyncio.run(_warm(port, server.workers, seed))
            if turns is None:
                slices = [asyncio.run(_slice(port, list(plan(cell.load, seed))))]
            else:
                slices = asyncio.run(_by_turns(port, cell.load, turns, seed))
            _, memory_bytes = children_usage()
            told = list(handshake.stalls_told(folder))
    answers = [answer for one in slices for answer in one.answers]
    if not any(answer.heavy and not answer.error for answer in answers):
        why = next((answer.error for answer in answers if answer.error), warmed)
        raise ServerError(f"no heavy request was answered ({why or 'none was due; raise --rate or --seconds'})")
    return Observed(
        answers=answers,
        stalls=[stall for stall in told if any(one.holds(stall.start_ns) for one in slices)],
        bursts=() if turns is None else tuple(one.burst for one in slices),
        started_ns=slices[0].started_ns,
        began_at=slices[0].began_at,
        wall_ns=sum(one.wall_ns for one in slices),
        setup_ns=setup_ns,
        priming_ns=priming_ns,
        children_cpu_ns=sum(one.cpu_ns for one in slices),
        peak_memory_bytes=memory_bytes,
    )


async def _slice(port: int, planned: Sequence[Planned]) -> _Slice:
    """Puts a load on the server and waits for the last answer."""
    cpu_before, _ = children_usage()
    started_ns, began_at = now_ns(), time.time()
    answers = await drive(port, planned, started_ns=started_ns, limit_s=_ANSWER_LIMIT_S)
    wall_ns = now_ns() - started_ns
    cpu_after, _ = children_usage()
    cpu_ns = cpu_after - cpu_before
    return _Slice(answers=answers, started_ns=started_ns, began_at=began_at, wall_ns=wall_ns, cpu_ns=cpu_ns)


async def _by_turns(port: int, load: Load, turns: Turns, seed: int) -> list[_Slice]:
    """Puts a slice of the load on the server at each turn, and returns those that count.

    A slice has its heavy requests in the middle, so that light ones follow them, and is over when all are answered.

    Raises:
        ServerError: a request failed: a side that answers fewer would look the faster one.
        NoJobError: there was no turn that counts.
    """
    assert load.heavy is not None  # of every server's load
    counted: list[_Slice] = []
    number = 0
    async for jobs in turns.taken(LOOPS["asyncio"].adapter()):
        part = replace(load, jobs=round(abs(jobs) / load.heavy), seconds=None)
        one = await _slice(port, list(plan(part, seed + number, ahead=_MIDDLE)))
        number += 1
        error = next((answer.error for answer in one.answers if answer.error), "")
        if error:
            raise ServerError(f"a request failed: {error}")
        if jobs > 0:
            counted.append(one)
        turns.answer(one.burst)
    if not counted:
        raise NoJobError("there was no turn")
    return counted


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
            raise ServerError(f"the server {server.name} {how}; its last output: {last}")
        time.sleep(_POLL_S)
