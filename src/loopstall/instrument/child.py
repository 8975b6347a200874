"""Watches the loops of a process that a watched program has started, as soon as it has any."""

from collections.abc import Mapping
import json
import os
from pathlib import Path
import sys
from typing import Any

from loopstall.monitor.import_hook import ImportHook

__all__ = ["VARIABLE", "begin", "environment"]

VARIABLE = "LOOPSTALL_WATCH"
_SITE = str(Path(__file__).resolve().parent / "site")


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Returns the variables by which processes are watched that this one starts.

    Args:
        settings: of ``Settings``, as plain data.
    """
    path = os.pathsep.join(filter(None, (_SITE, os.environ.get("PYTHONPATH"))))
    return {VARIABLE: json.dumps(settings), "PYTHONPATH": path}


def begin() -> None:
    """Watches every loop of this process; a process that imports no engine of loops pays nothing for it."""
    if _SITE in sys.path:
        sys.path.remove(_SITE)
    armed: list[ImportHook] = []

    def arm(_module: Any) -> None:
        for one in armed:
            one.stop()
        from loopstall.instrument.reporter import Settings, StallReporter  # asyncio is there by now

        StallReporter(Settings(**json.loads(os.environ[VARIABLE]))).start()

    armed.append(ImportHook({"asyncio": arm, "trio": arm}))
