"""The bounds that a measuring process sets itself before it loads a workload."""

import contextlib
import faulthandler
import os
import signal
import sys

__all__ = ["confine", "die_with"]

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent dies, where it can (Linux)."""
    if sys.platform == "linux":
        import ctypes  # Linux alone

        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before prctl took effect
            os._exit(1)


def confine(*, memory_limit_bytes: int) -> None:
    """Bounds memory, forbids core files and reports crashes on stderr.

    Args:
        memory_limit_bytes: address space of this process and of each one it starts; 0 for no bound.
    """
    faulthandler.enable()
    _limit(memory_limit_bytes)


def _limit(memory_limit_bytes: int) -> None:
    try:
        import resource  # not on Windows
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_limit_bytes > 0:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
