"""Watches the loops of a process of a watched program, as soon as it has any.

Every Python that the program starts imports this module, and only those with an engine of loops import more.
"""

import os
from typing import Any

from loopstall.instrument.routes import FRAMEWORKS
from loopstall.monitor.import_hook import ImportHook

__all__ = ["BEGUN", "LAG", "LOOPED", "VARIABLE", "begin", "environment"]

VARIABLE = "LOOPSTALL_WATCH"
BEGUN = "begun"
"""Name of the file that says that the program has begun, and is watched."""
LOOPED = "looped"
"""Name of the file that says that a loop has been watched."""
LAG = "lag"
"""Name of the folder in which the lag of each loop is handed over as well; it is there where somebody looks at it."""


def environment(*, threshold_ns: int, home: int, folder: str) -> dict[str, str]:
    """Returns the variables by which a program is watched, with all that it starts.

    Args:
        threshold_ns: the span without progress from which there is a stall.
        home: number of the process that starts the program and hears of its stalls.
        folder: the folder in which stalls are handed over.
    """
    from pathlib import Path

    site = str(Path(__file__).resolve().parent / "site")
    path = os.pathsep.join(filter(None, (site, os.environ.get("PYTHONPATH"))))
    return {VARIABLE: f"{threshold_ns} {home} {folder}", "PYTHONPATH": path}


def begin() -> None:
    """Watches every loop of this process; a process that imports no engine of loops pays nothing for it.

    The first process of a watch, the program, dies with the process that has started it.
    """
    threshold_ns, _, rest = os.environ[VARIABLE].partition(" ")
    home, _, folder = rest.partition(" ")
    try:
        os.close(os.open(f"{folder}/{BEGUN}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass
    except OSError:  # the watch is over, or this is another user's process
        return
    else:
        from loopstall.instrument.lifeline import die_with

        die_with(int(home))
    started: list[Any] = []

    def arm(_module: Any) -> None:
        import asyncio  # noqa: F401  # where it is not there yet, its arrival is told before what follows

        from loopstall.instrument.reporter import StallReporter

        while started:  # an engine that has imported asyncio on its way could not be hooked then
            started.pop().stop()
        started.append(StallReporter(threshold_ns=int(threshold_ns), folder=folder))
        started[-1].start()

    ImportHook(dict.fromkeys(("asyncio", "trio", "curio"), arm))
    ImportHook(FRAMEWORKS)
