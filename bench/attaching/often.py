"""A process that is attached to again and again: does it notice, and is each stall told?"""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import select
import signal
import subprocess
import sys
import time

from programs import ask, serving  # its folder is no package

_LONGEST_S = 30.0
_SETTLING_S = 1.0  # until the last connection is closed
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def often(name: str, times: int) -> Iterator[str]:
    """Yields what became of a service and of as many watches of it, one after the other, each ended by a signal.

    Args:
        name: of the service.
        times: how often it is attached to.
    """
    told, middle = 0, (0, 0, 0)
    with serving(name) as (port, pid):
        for number in range(times):
            told += _attached(port, pid, _ENDS[number % len(_ENDS)])
            if number == times // 2:
                middle = _standing(pid)
        ask(port, "/")
        end = _standing(pid)
        tracer = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "TracerPid" in line)
    yield f"{told} of {times} watches told of a stall with its line"
    yield f"threads, descriptors, KiB of the service: {middle} in the middle, {end} at the end; {tracer}"
    if told < times or end[0] > middle[0] or end[1] > middle[1] or end[2] > middle[2] * 1.1:
        raise SystemExit(f"{name}: a stall was not told, or something grows")


def _attached(port: int, pid: int, end: signal.Signals) -> bool:
    """Returns whether a watch that is attached now reports a stall, and ends it."""
    command = [sys.executable, "-m", "loopstall", "watch", "--pid", str(pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        said, until = b"", time.monotonic() + _LONGEST_S
        while b"service.py:" not in said and time.monotonic() < until and process.poll() is None:
            ask(port, "/sleeps")
            if select.select([process.stdout], [], [], 0.02)[0]:
                said += os.read(process.stdout.fileno(), 1 << 16)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(end)
        process.communicate(timeout=_LONGEST_S)
    return b"service.py:" in said


def _standing(pid: int) -> tuple[int, int, int]:
    """Returns how many threads and descriptors a process has, and its memory in KiB, once it is at rest."""
    time.sleep(_SETTLING_S)
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text(encoding="ascii").split()[1])
    threads, files = ((process / name).iterdir() for name in ("task", "fd"))
    return len(list(threads)), len(list(files)), pages * os.sysconf("SC_PAGESIZE") // 1024
