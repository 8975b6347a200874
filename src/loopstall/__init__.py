"""Benchmarks and regression tests for the CPU-bound trap on event loops.

Importing this package imports the standard library alone; what needs more is loaded when it is first used.
"""

from loopstall.workloads import workload

__all__ = ["__version__", "load", "workload"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Loads the names that need third-party packages when they are first asked for."""
    if name == "load":
        from loopstall.report.frame import load  # noqa: PLC0415  # pandas must not be imported before it is used

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
