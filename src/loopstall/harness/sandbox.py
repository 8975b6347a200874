"""The bounds that a measuring process sets itself before it loads a workload."""

import contextlib
import faulthandler

__all__ = ["confine"]


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
