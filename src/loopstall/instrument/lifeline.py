"""A process that does not outlive the one that has started it."""

import contextlib
import os
import signal
import sys

__all__ = ["die_with"]

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent dies, where it can (Linux).

    Args:
        parent_pid: the parent's number; this process ends at once where another one is its parent by now.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError):
            import ctypes  # Linux alone, and not in every build

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before prctl took effect
            os._exit(1)
