"""The stall monitor, usable alone: standard library only.

    with loopstall.watch(threshold=0.005) as stalls:
        ...
    for stall in stalls:
        print(stall.duration_ns, stall.cause, stall.culprit)

Importing this package imports no event loop: what a process without one needs of it, the import hook, costs nothing.
What is behind these names is free to change; docs/how-detection-works.md says how it works and what it cannot see.
"""

from importlib import import_module

TYPE_CHECKING = False  # as in ``loopstall``
if TYPE_CHECKING:
    from loopstall.monitor.context_manager import Watch, watch
    from loopstall.monitor.core import Monitor
    from loopstall.monitor.lag import LagMeter
    from loopstall.monitor.stall_log import StallLog

__all__ = ["LagMeter", "Monitor", "StallLog", "Watch", "watch"]

_MODULES = {
    "LagMeter": "lag",
    "Monitor": "core",
    "StallLog": "stall_log",
    "Watch": "context_manager",
    "watch": "context_manager",
}
"""The module of each name; no module has the name of another one's export, because importing it would take the name."""


if not TYPE_CHECKING:  # a type checker that saw it would let any name pass

    def __getattr__(name: str) -> object:
        """Imports the module that a name is in."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = found
        return found
