"""Benchmarks and regression tests for the CPU-bound trap on event loops.

Importing this package imports the standard library alone; what needs more is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopstall.monitor.context_manager import Watch, watch
    from loopstall.records import Stall
    from loopstall.results.dataframe import load
    from loopstall.workloads.definition import workload

__all__ = ["Stall", "Watch", "__version__", "load", "watch", "workload"]

__version__ = "0.1.0"

_LAZY = {
    "Stall": "loopstall.records",
    "Watch": "loopstall.monitor.context_manager",
    "load": "loopstall.results.dataframe",
    "watch": "loopstall.monitor.context_manager",
    "workload": "loopstall.workloads.definition",
}
"""Names that are imported when they are first asked for, so that the command line starts quickly."""


if not TYPE_CHECKING:  # a type checker that saw it would let any name pass

    def __getattr__(name: str) -> object:
        """Imports the names that are not needed by everybody."""
        if name in _LAZY:
            return getattr(importlib.import_module(_LAZY[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
