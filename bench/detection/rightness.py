"""Has stalls injected under a detector, in the runs that a plan asks for, and collects the records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import os
from typing import Any

import kinds  # its folder is no package
from processes import Wanted, children, strangers

Record = dict[str, Any]
COLD_MS = (8.0, 15.0, 50.0)
_TASKS = 20  # well-behaved ones beside the stalls
_NOTHING: Wanted = ("nothing", "asyncio", False)


@dataclass(frozen=True)
class Plan:
    """What is measured: how many stalls of each kind and length, and for how long there are none.

    Args:
        names: the kinds.
        lengths_ms: of the stalls.
        repeat: stalls of each on a quiet machine.
        busy: the same, while strangers load all cores.
        cold: first stalls of fresh processes, of each kind that is for that and of each of its lengths.
        hang_s: how long a hang lasts; 0 for none.
        clean_s: for how long there are no stalls.
        noise_s: the same, while strangers load all cores.
    """

    names: Sequence[str]
    lengths_ms: Sequence[float]
    repeat: int
    busy: int
    cold: int
    hang_s: float
    clean_s: float
    noise_s: float

    @property
    def cold_names(self) -> list[str]:
        """The kinds of first stalls."""
        return [name for name in kinds.COLD if name in self.names] if self.cold else []


def sizes_for(plan: Plan, threshold_ms: float) -> dict[str, int]:
    """Returns the sizes of all work in a plan, found in a process without a detector."""
    sizes: dict[str, int] = {}
    with children(_NOTHING, threshold_ms=threshold_ms) as (child,):
        if plan.repeat or plan.busy:
            sizes |= child.ask("calibrate", kinds=plan.names, ms=plan.lengths_ms)
        if plan.cold_names:
            sizes |= child.ask("calibrate", kinds=plan.cold_names, ms=COLD_MS)
    return sizes


def measured(wanted: Wanted, plan: Plan, sizes: dict[str, int], threshold_ms: float) -> Iterator[Record]:
    """Yields the records of a detector, run by run."""
    whole = {"kinds": plan.names, "ms": plan.lengths_ms, "sizes": sizes, "seed": 1, "tasks": _TASKS}
    for run, repeat, count in (("quiet", plan.repeat, 0), ("busy", plan.busy, os.cpu_count() or 1)):
        if repeat:
            with children(wanted, threshold_ms=threshold_ms) as (child,), strangers(count):
                yield from _of_run(run, child.ask("inject", **whole, repeat=repeat))
    for _ in range(plan.cold):
        for name in plan.cold_names:
            for ms in COLD_MS:
                first = {"kinds": [name], "ms": [ms], "sizes": sizes, "seed": 1, "tasks": 0, "repeat": 1}
                with children(wanted, threshold_ms=threshold_ms) as (child,):
                    yield from _of_run("cold", child.ask("inject", **first))
    if plan.hang_s:
        hang = {"kinds": kinds.HANGS, "ms": [plan.hang_s * 1000], "sizes": {}, "seed": 1, "tasks": _TASKS, "repeat": 1}
        with children(wanted, threshold_ms=threshold_ms) as (child,):
            yield from _of_run("hang", child.ask("inject", **hang))
    for run, seconds, count in (("clean", plan.clean_s, 0), ("noise", plan.noise_s, os.cpu_count() or 1)):
        if seconds:
            with children(wanted, threshold_ms=threshold_ms) as (child,), strangers(count):
                seen = child.ask("idle", tasks=_TASKS, seconds=seconds)
            yield {"run": run, "seconds": seconds, "reports": seen["reports"]}


def _of_run(run: str, records: list[Record]) -> list[Record]:
    return [{"run": run, **record} for record in records]
