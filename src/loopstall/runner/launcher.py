"""Starts measuring processes and leaves none behind, however this process ends."""

import contextlib
import itertools
import secrets
import subprocess
import sys
from types import TracebackType
from typing import Self

from loopstall.errors import MeasurementError
from loopstall.runner import reaper
from loopstall.runner.process import MeasuringProcess
from loopstall.runner.side import Side

__all__ = ["Launcher"]


class Launcher:
    """A context manager; while it is open a reaper beside this process knows of every process that was started."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._reaper: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", reaper.__file__, self._token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        watcher, self._reaper = self._reaper, None
        if watcher is not None and watcher.stdin is not None:
            with contextlib.suppress(OSError):
                watcher.stdin.close()
            watcher.wait()

    def start(self, side: Side | None = None) -> MeasuringProcess:
        """Starts a process.

        Args:
            side: the side whose code it runs; this interpreter's own for None.

        Raises:
            MeasurementError: it cannot be started.
        """
        try:
            process = MeasuringProcess(f"{self._token}-{next(self._numbers)}", side)
        except OSError as error:
            text = f"cannot start a measuring process: {error}; make room or set TMPDIR"
            raise MeasurementError(text) from error
        if self._reaper is not None and self._reaper.stdin is not None:
            with contextlib.suppress(OSError):
                self._reaper.stdin.write(f"{process.pid}\n")
                self._reaper.stdin.flush()
        return process
