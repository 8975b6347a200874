"""The records that travel from stage to stage; each stage returns new ones.

Times are integers in ns while they are measured. A record holds built-in types alone, so that it goes to JSON
and back unchanged.
"""

from importlib import import_module

TYPE_CHECKING = False  # as in ``loopstall``
if TYPE_CHECKING:
    from loopstall.records.advice import Advice, Profile, Way
    from loopstall.records.cells import Cell, Load, Plan, Skipped, Strategy, Value, WorkloadRef
    from loopstall.records.judged import (
        BROKEN,
        REGRESSION,
        STALL,
        UNCOMPARED,
        Change,
        Comparison,
        Estimate,
        Finding,
        Reading,
        Summary,
        Trend,
        Verdict,
    )
    from loopstall.records.runs import (
        NOT_TRIED,
        Burst,
        Code,
        Course,
        Environment,
        Histogram,
        Measured,
        Module,
        Noise,
        Pair,
        Run,
        RunError,
        Series,
    )
    from loopstall.records.stall_events import StallEvent, stall_event_from, to_plain
    from loopstall.records.stalls import DESCHEDULED, Evidence, Frame, StackSample, Stall, StallPart

__all__ = [
    "BROKEN",
    "DESCHEDULED",
    "FORMAT",
    "NOT_TRIED",
    "REGRESSION",
    "SCHEMA_VERSION",
    "STALL",
    "UNCOMPARED",
    "Advice",
    "Burst",
    "Cell",
    "Change",
    "Code",
    "Comparison",
    "Course",
    "Environment",
    "Estimate",
    "Evidence",
    "Finding",
    "Frame",
    "Histogram",
    "Load",
    "Measured",
    "Module",
    "Noise",
    "Pair",
    "Plan",
    "Profile",
    "Reading",
    "Run",
    "RunError",
    "Series",
    "Skipped",
    "StackSample",
    "Stall",
    "StallEvent",
    "StallPart",
    "Strategy",
    "Summary",
    "Trend",
    "Value",
    "Verdict",
    "Way",
    "WorkloadRef",
    "stall_event_from",
    "to_plain",
]

FORMAT, SCHEMA_VERSION = "loopstall", 1
"""Of everything that is written for other programs, or for later."""

_NAMES = {
    "advice": ("Advice", "Profile", "Way"),
    "cells": ("Cell", "Load", "Plan", "Skipped", "Strategy", "Value", "WorkloadRef"),
    "judged": ("BROKEN", "Change", "Comparison", "Estimate", "Finding", "Reading", "REGRESSION", "STALL", "Summary",
               "Trend", "UNCOMPARED", "Verdict"),
    "runs": ("Burst", "Code", "Course", "Environment", "Histogram", "Measured", "Module", "NOT_TRIED", "Noise", "Pair",
             "Run", "RunError", "Series"),
    "stall_events": ("StallEvent", "stall_event_from", "to_plain"),
    "stalls": ("DESCHEDULED", "Evidence", "Frame", "StackSample", "Stall", "StallPart"),
}  # fmt: skip
"""Names by module: each is imported when a name of it is first asked for, for making all of them takes 30 ms."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker that saw it would let any name pass

    def __getattr__(name: str) -> object:
        """Imports the module that a name is in."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = found
        return found
