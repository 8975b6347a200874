"""A small process that outlives the runner for a moment and kills what it left behind.

Run as a script with a token. It reads process group numbers from stdin, one a line; when stdin ends, because the
runner has ended in whatever way, it kills the last groups and, on Linux, every process whose mark in the
environment begins with the token. It imports little, so that it costs little.
"""

from collections import deque
import contextlib
import os
from pathlib import Path
import signal
import sys

__all__ = ["VARIABLE", "kill_marked"]

VARIABLE = "LOOPSTALL_RUN"
"""Marks a measuring process and whatever it starts."""

_PASSES = 20  # a process that forks while it is hunted is found in a later pass
_GROUPS = 4  # at least the run that is measured and those that are started ahead


def kill_marked(token: str) -> None:
    """Kills every process whose mark is the token, or a part of it after a dash, until a pass finds none (Linux)."""
    marks = f"{VARIABLE}={token}\0".encode(), f"{VARIABLE}={token}-".encode()
    for _ in range(_PASSES):
        found = 0
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environ = b"\0" + (entry / "environ").read_bytes() + b"\0"
                if any(b"\0" + mark in environ for mark in marks):
                    os.kill(int(entry.name), signal.SIGKILL)
                    found += 1
        if not found:
            return


def _main(token: str) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    groups: deque[int] = deque(maxlen=_GROUPS)
    for line in sys.stdin:
        groups.append(int(line))
    if hasattr(os, "killpg"):
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
    kill_marked(token)


if __name__ == "__main__":
    _main(sys.argv[1])
