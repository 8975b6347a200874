"""Finds the loops that run already when a watch begins."""

import asyncio
from typing import Any

from loopstall.monitor.gil import FREE_THREADED
from loopstall.monitor.probes import CurioRun, TrioRun
from loopstall.monitor.samples import frames_beside

__all__ = ["running_elsewhere", "running_here"]

_RUN_FOREVER = asyncio.BaseEventLoop.run_forever.__code__
_RUNNER = asyncio.Runner.run.__code__


def running_elsewhere() -> list[Any]:
    """Returns those of asyncio and uvloop that other threads are in at this moment.

    There are none on a free-threaded build, where it is unsafe to look.
    """
    if FREE_THREADED:
        return []
    found: dict[int, Any] = {}
    for innermost in frames_beside().values():
        frame: Any = innermost
        while frame is not None:
            loop = None
            if frame.f_code is _RUN_FOREVER:
                loop = frame.f_locals.get("self")
            elif frame.f_code is _RUNNER:  # with any loop
                loop = getattr(frame.f_locals.get("self"), "_loop", None)
            if loop is not None and loop.is_running():
                found[id(loop)] = loop
                break
            frame = frame.f_back
    return list(found.values())


def running_here() -> Any:
    """Returns the loop that runs in this thread, None where none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    for run in (TrioRun, CurioRun):
        try:
            return run()
        except RuntimeError:
            pass
    return None
