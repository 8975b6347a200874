"""A measuring process: it starts ahead, gets its request later, and its death is explained."""

from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import msgspec

from loopstall.errors import MeasurementError
from loopstall.records import Burst, Frame, RunError
from loopstall.records.frames import culprit
from loopstall.runner import protocol, reaper
from loopstall.runner.protocol import Outcome, Request
from loopstall.runner.side import Side

__all__ = ["TIMEOUT", "MeasuringProcess"]

TIMEOUT = "timeout"
"""The kind of error of a run that did not end within its time limit."""

_START = "import sys; from loopstall.harness import main; main(*sys.argv[1:])"
_LAST_WORDS_S = 2.0  # for a hung process to say on stderr where it hangs
_DETAIL_BYTES = 4_000
_CRASH_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE)


class MeasuringProcess:
    """A fresh interpreter that has imported the harness and waits for one request.

    Args:
        token: the mark of it and of everything it starts, in the environment.
        side: the side whose code it runs; this interpreter's own for None.

    Raises:
        OSError: it cannot be started, or its temporary folder not made.
    """

    def __init__(self, token: str, side: Side | None = None) -> None:
        self._token = token
        self._folder = Path(tempfile.mkdtemp(prefix="loopstall-"))
        self._told = b""
        self._late = False
        try:
            self._start(side or Side())
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, side: Side) -> None:
        scratch = self._folder / "tmp"
        scratch.mkdir()
        self._output = (self._folder / "output").open("w+b")
        self._done_reader, done_writer = os.pipe()
        told = str(done_writer) if os.name == "posix" else ""  # elsewhere descriptors cannot be handed on
        try:
            self._process = subprocess.Popen(
                [
                    *side.command,
                    "-c",
                    _START,
                    str(self._folder),
                    str(os.getpid()),
                    told,
                ],
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                env={**side.environment(), reaper.VARIABLE: self._token, "TMPDIR": str(scratch)},
                start_new_session=True,
                pass_fds=(done_writer,) if os.name == "posix" else (),
            )
        except OSError:
            self._output.close()
            os.close(self._done_reader)
            raise
        finally:
            os.close(done_writer)

    @property
    def pid(self) -> int:
        """The number of the process, and of the process group that it leads."""
        return int(self._process.pid)

    def run(self, request: Request, *, limit_s: float, load_ended: Callable[[], None]) -> Outcome:
        """Sends the request and waits for the end.

        Args:
            request: the measurement.
            limit_s: its time limit.
            load_ended: called when the load is over and the process has only to sum up and end.

        Raises:
            MeasurementError: the request cannot be written.
        """
        self._begin(request)
        self._hang_up()
        return self._end(not self._wait(limit_s, load_ended), limit_s)

    def begin(self, request: Request, *, limit_s: float) -> bool:
        """Sends a request in turns and waits until the process is ready for the first; False where it never is.

        Raises:
            MeasurementError: the request cannot be written.
        """
        self._begin(request)
        return self._line(limit_s) == protocol.READY

    def turn(self, jobs: int, *, limit_s: float) -> Burst | None:
        """Asks the process for its next jobs; None where it ends, hangs or fails instead: ``end`` says why.

        Args:
            jobs: their number; below zero for jobs that warm up and are not counted.
            limit_s: their time limit.
        """
        self._say(b"%d\n" % jobs)
        try:
            return protocol.read_burst(self._line(limit_s))
        except ValueError:
            return None

    def end(self, *, limit_s: float) -> Outcome:
        """Ends the turns, and returns the outcome."""
        self._say(b"0\n")
        self._hang_up()
        return self._end(self._late or not self._wait(limit_s, lambda: None), limit_s)

    def _begin(self, request: Request) -> None:
        try:
            protocol.write(request, self._folder / protocol.REQUEST)
        except OSError as error:
            raise MeasurementError(f"cannot write a request for a measuring process: {error}; make room") from error
        self._say(b"go\n")

    def _say(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # a process that is dead already is explained at its end
            assert self._process.stdin is not None
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _line(self, limit_s: float) -> bytes:
        """Returns the next line from the process; b"" where it ends or the time is over first."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._told:
            ready = select.select([self._done_reader], [], [], max(0.0, deadline - time.monotonic()))[0]
            self._late = not ready
            more = os.read(self._done_reader, 4096) if ready else b""
            if not more:
                return b""
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return line + b"\n"

    def _end(self, timed_out: bool, limit_s: float) -> Outcome:  # noqa: FBT001
        if timed_out:
            self._ask_where()
        self.kill()
        if not timed_out:
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                return protocol.read_outcome(self._folder / protocol.OUTCOME)
        error = _post_mortem(self._process.returncode, self._tail(), limit_s if timed_out else None)
        return Outcome(loop="", load_1min=None, error=error)

    def close(self) -> None:
        """Kills what is left and removes the temporary folder."""
        self.kill()
        self._output.close()
        os.close(self._done_reader)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """Kills the process group, and whatever has left that group."""
        if self._process.returncode is not None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)  # before wait: a zombie keeps its number from being reused
        else:
            self._process.kill()
        self._process.wait()
        reaper.kill_marked(self._token)

    def _wait(self, limit_s: float, load_ended: Callable[[], None]) -> bool:
        """Waits for the end without reaping, and returns whether the process ended within the limit."""
        deadline = time.monotonic() + limit_s
        try:
            ended = os.pidfd_open(self.pid)  # Popen.wait with a timeout polls, which disturbs what is measured
        except (AttributeError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(limit_s)
            return self._process.returncode is not None
        try:
            watched = [ended, self._done_reader]
            while True:
                ready = select.select(watched, [], [], max(0.0, deadline - time.monotonic()))[0]
                if not ready or ended in ready:
                    return bool(ready)
                watched.remove(self._done_reader)
                load_ended()
        finally:
            os.close(ended)

    def _ask_where(self) -> None:
        """Makes a hung process write its stack: faulthandler answers SIGABRT even inside C code."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: Windows has no such signal
            self._process.send_signal(signal.SIGABRT)
            self._wait(_LAST_WORDS_S, lambda: None)

    def _tail(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _DETAIL_BYTES))
        return self._output.read().decode("utf-8", "replace")


def _crash_site(printed: str) -> Frame | None:
    """Returns the culprit of the stack that faulthandler wrote of the thread that crashed."""
    _, found, dump = printed.rpartition("Fatal Python error")
    _, current, stack = dump.partition("\nCurrent thread")
    if not found or not current:
        return None
    stack = stack.partition("\n\n")[0]
    return culprit(
        [
            Frame(file=match["file"], line=int(match["line"]), function=match["function"])
            for match in _CRASH_FRAME.finditer(stack)
        ]
    )


def _post_mortem(status: int, printed: str, limit_s: float | None) -> RunError:
    """Explains a process that ended without an outcome.

    Args:
        status: as Popen has it, negative for a signal.
        printed: the end of what it printed.
        limit_s: the time limit where it was killed for that, else None.
    """
    frame = _crash_site(printed)
    where = f" at {frame}" if frame is not None else ""
    if limit_s is not None:
        return RunError(
            kind=TIMEOUT,
            message=f"did not end within the time limit of {limit_s:g} s and was killed{where};"
            " raise --time-limit if it is meant to take that long",
            detail=printed,
        )
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        hint = "; out of memory?" if name == "SIGKILL" else ""
        return RunError(kind="crashed", message=f"was ended by {name}{where}{hint}", detail=printed)
    last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
    return RunError(
        kind="exited",
        message=f"ended with status {status} without a result, as after os._exit"
        + (f"; its last output: {last[:200]}" if last else ""),
        detail=printed,
    )
