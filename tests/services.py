"""Services that run in a process of their own, under load."""

import contextlib
import socket
import subprocess
import sys
import threading
import urllib.request

from helpers import until
import pytest


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def loaded(folder, application, loop, *words, path="/"):
    """Serves an application by uvicorn and asks it ten times a second.

    Args:
        folder: where the application is written, as app.py.
        application: its code.
        loop: the event loop that uvicorn runs it on.
        words: further arguments of uvicorn.
        path: what is asked for.

    Yields:
        Its process, and a function that asks once and says whether there was an answer.
    """
    pytest.importorskip("uvicorn")
    pytest.importorskip(loop)
    (folder / "app.py").write_text(application)
    port = free_port()
    ended = threading.Event()

    def ask():
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as got:
            return got.status == 200
        return False

    def load():
        while not ended.wait(0.1):
            ask()

    loading = threading.Thread(target=load, daemon=True)
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--loop", loop, *words]
    with subprocess.Popen(
        [*command, "--log-level", "warning"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert until(ask)
            loading.start()
            yield process, ask
        finally:
            ended.set()
            process.kill()
            if loading.ident is not None:
                loading.join(20)
