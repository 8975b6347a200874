"""A task queue: a Celery worker with one process a core, behind a broker.

The broker is the one that ``LOOPSTALL_BROKER_URL`` names, else a redis-server of our own on a free port where there is
one to start, else the file system, which Celery polls: it needs no server, and each job waits some milliseconds more.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
import contextlib
from contextlib import asynccontextmanager
import importlib.util
import os
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Self

from loopstall.dispatch.base import Call, Dispatch, DispatchError, Job
from loopstall.dispatch.priming import each_worker
from loopstall.errors import not_installed
from loopstall.workloads.definition import Workload

__all__ = ["BROKER_URL", "DISPATCH"]

BROKER_URL = "LOOPSTALL_BROKER_URL"
"""Names the environment variable with the address of a broker to use."""

_START_LIMIT_S = 30.0
_REACH_LIMIT_S = 5.0
_POLL_S = 0.002  # for results
_OUTPUT = "worker-output"


def _missing(_workload: Workload) -> str | None:
    return not_installed("celery", "celery[redis]")


@asynccontextmanager
async def _open(job: Job) -> AsyncIterator[Call]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loopstall-queue-")))
        broker, backend, files = stack.enter_context(_broker(folder))
        width = max(1, min(job.concurrency, os.cpu_count() or 1))
        worker = stack.enter_context(_worker(width, broker, backend, files, folder))
        async with _Desk(broker, backend, files, worker, folder / _OUTPUT) as desk:
            path, name, kwargs = job.workload.path, job.workload.name, job.kwargs
            await asyncio.wait_for(desk.ask("loopstall.first", path, name, (), {}), _START_LIMIT_S)  # the worker is up
            await each_worker(width, lambda: desk.ask("loopstall.first", path, name, job.seeds, kwargs))
            yield lambda seed: desk.ask("loopstall.do", path, name, seed, kwargs)


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yields the addresses of the broker and of the results, and the folder of a broker without a server."""
    given = os.environ.get(BROKER_URL)
    if given:
        _reach(given)
        yield given, given, ""
    elif shutil.which("redis-server") and importlib.util.find_spec("redis") is not None:
        with _redis(folder) as url:
            yield url, url, ""
    else:
        messages, results = folder / "messages", folder / "results"
        for place in (messages, results, messages / "control"):
            place.mkdir()
        yield "filesystem://", f"file://{results}", str(messages)


def _reach(url: str) -> None:
    """Connects to a broker once.

    Raises:
        DispatchError: it cannot be reached.
    """
    from kombu import Connection  # an extra

    try:
        with Connection(url, connect_timeout=_REACH_LIMIT_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_max=0)
    except Exception as error:
        raise DispatchError(f"cannot reach the broker {url}: {error}; check --broker-url") from error


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """Starts a redis-server of our own, and gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise DispatchError("redis-server did not start; try to start it by hand")
            time.sleep(_POLL_S)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _end(server)


@contextlib.contextmanager
def _worker(width: int, broker: str, backend: str, files: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a worker."""
    with (folder / _OUTPUT).open("wb") as output:
        worker = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "--app", "loopstall.dispatch.celery_app", "worker", "--pool", "prefork",
                "--concurrency", str(width), "--loglevel", "warning", "--without-gossip", "--without-mingle",
                "--without-heartbeat",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "LOOPSTALL_CELERY_BROKER": broker,
                "LOOPSTALL_CELERY_BACKEND": backend,
                "LOOPSTALL_CELERY_FOLDER": files,
                "C_FORCE_ROOT": "1",  # Celery refuses pickled messages under root; these are our own
            },
        )  # fmt: skip
        try:
            yield worker
        finally:
            _end(worker)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Desk:
    """Sends tasks and collects their results in one thread of its own: the clients of brokers and backends block.

    Args:
        broker: address of the broker.
        backend: address of the results.
        files: folder of a broker without a server.
        worker: the worker process, with which all tasks end.
        output: the file of its output.
    """

    def __init__(self, broker: str, backend: str, files: str, worker: "subprocess.Popen[bytes]", output: Path) -> None:
        self._addresses = (broker, backend, files)
        self._worker = worker
        self._output = output
        self._app: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loopstall-queue")
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._asked = asyncio.Event()
        self._collector: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._app = await self._in_thread(self._connect)
        self._collector = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._collector is not None:
            self._collector.cancel()
            await asyncio.gather(self._collector, return_exceptions=True)
        for future in self._pending.values():
            future.cancel()
        await self._in_thread(self._app.close)
        self._thread.shutdown()

    async def ask(self, task: str, *args: Any) -> Any:
        """Sends a task and returns its result."""
        sent = await self._in_thread(self._app.send_task, task, args)
        future = self._pending[sent.id] = asyncio.get_running_loop().create_future()
        self._asked.set()
        try:
            return await future
        finally:
            self._pending.pop(sent.id, None)

    def _connect(self) -> Any:
        from loopstall.dispatch.celery_app import make  # it takes a while, and is an extra

        return make(*self._addresses)

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def _collect(self) -> None:
        """Looks for results while some are awaited."""
        while True:
            await self._asked.wait()
            ended = self._worker.poll() is not None
            for number, found in await self._in_thread(self._finished, list(self._pending)):
                self._settle(number, found)
            if ended:
                printed = self._output.read_text("utf-8", "replace").split("\n")
                last = next((line.strip() for line in reversed(printed) if line.strip()), "it printed nothing")
                for number in list(self._pending):
                    self._settle(number, DispatchError(f"the Celery worker has ended; its last output: {last}"))
            if not self._pending:
                self._asked.clear()
            else:
                await asyncio.sleep(_POLL_S)

    def _settle(self, number: str, found: Any) -> None:
        future = self._pending.pop(number, None)
        if future is None or future.done():
            return
        if isinstance(found, BaseException):
            future.set_exception(found)
        else:
            future.set_result(found)

    def _finished(self, numbers: list[str]) -> list[tuple[str, Any]]:
        backend = self._app.backend
        told = ((number, backend.get_task_meta(number, cache=False)) for number in numbers)
        return [(number, meta["result"]) for number, meta in told if meta["status"] in {"SUCCESS", "FAILURE"}]


DISPATCH = Dispatch(
    name="celery",
    summary="a Celery worker with one process per core, behind Redis (or files, where there is no redis-server)",
    missing=_missing,
    open=_open,
    on_request=True,
)
