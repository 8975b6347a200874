"""Programs that are looked at while they run: how they are started, asked and ended."""

from collections.abc import Iterator, Sequence
import contextlib
import http.client
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time
from typing import Any

FOLDER = Path(__file__).resolve().parent
SERVERS = {
    "uvicorn on asyncio": ("uvicorn", "service:app", "--loop", "asyncio", "--port", "{port}", "--no-access-log"),
    "uvicorn on uvloop": ("uvicorn", "service:app", "--loop", "uvloop", "--port", "{port}", "--no-access-log"),
    "gunicorn": ("gunicorn", "service:app", "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:{port}"),
}
PACKAGES = {"uvicorn on asyncio": ("uvicorn",), "uvicorn on uvloop": ("uvicorn", "uvloop"),
            "gunicorn": ("gunicorn", "uvicorn_worker")}  # fmt: skip


@contextlib.contextmanager
def running(command: Sequence[str], **extra: Any) -> "Iterator[subprocess.Popen[str]]":
    """Runs a program until the end of the block, with its output in a pipe."""
    with subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True, start_new_session=True,
                          **extra) as process:  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def serving(name: str) -> Iterator[tuple[int, int]]:
    """Runs a server; yields its port, and the number of the process whose loop serves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [word.format(port=port) for word in SERVERS[name]]
    with running([sys.executable, "-m", *words], stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            with contextlib.suppress(OSError):
                ask(port, "/")
                break
            time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        yield port, int(children[0]) if name == "gunicorn" else process.pid


def ask(port: int, path: str) -> Any:
    """Makes a request and returns its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
