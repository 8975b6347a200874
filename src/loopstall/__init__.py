"""Benchmarks and regression tests for the CPU-bound trap on event loops.

``__all__`` is the public interface, with ``loopstall.asgi``, ``loopstall.metrics``, ``loopstall.integrations.logs``,
``loopstall.integrations.otel`` and the pytest plugin's fixtures; docs/api.md is written from it. Importing this package
imports the standard library alone. ``%load_ext loopstall`` makes it an extension of IPython.
"""

import importlib

TYPE_CHECKING = False  # typing's own name for it, which takes longer to import than all of this
if TYPE_CHECKING:
    from loopstall.errors import InputError
    from loopstall.monitor.context_manager import Watch, watch
    from loopstall.records import Evidence, Frame, StackSample, Stall, StallPart
    from loopstall.results.dataframe import load
    from loopstall.workloads.definition import Workload, workload

__all__ = [
    "Evidence",
    "Frame",
    "InputError",
    "StackSample",
    "Stall",
    "StallPart",
    "Watch",
    "Workload",
    "__version__",
    "load",
    "watch",
    "workload",
]

__version__ = "0.1.0"

_LAZY = {
    "Evidence": "loopstall.records",
    "Frame": "loopstall.records",
    "InputError": "loopstall.errors",
    "StackSample": "loopstall.records",
    "Stall": "loopstall.records",
    "StallPart": "loopstall.records",
    "Watch": "loopstall.monitor.context_manager",
    "Workload": "loopstall.workloads.definition",
    "load": "loopstall.results.dataframe",
    "watch": "loopstall.monitor.context_manager",
    "workload": "loopstall.workloads.definition",
}
"""The module of each public name, imported when the name is first used, so that the command line starts quickly."""

_IPYTHON = dict.fromkeys(("load_ipython_extension", "unload_ipython_extension"), "loopstall.integrations.notebook")
"""Hooks that IPython looks for in the module that ``%load_ext`` names."""


if not TYPE_CHECKING:  # a type checker that saw it would let any name pass

    def __getattr__(name: str) -> object:
        """Imports a public name when it is first asked for."""
        module = _LAZY.get(name) or _IPYTHON.get(name)
        if module is not None:
            return getattr(importlib.import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
