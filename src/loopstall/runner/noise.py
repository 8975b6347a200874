"""Recognises a machine that was busy with other programs during a measurement.

Two figures together say so: the measuring thread waited for a CPU (its run delay), and others computed. Run delay alone
may be the program's own doing, whose workers fill the CPUs; others alone do no harm where there are CPUs for all.
"""

from dataclasses import dataclass
import os
from pathlib import Path
import threading

from loopstall.records import Noise
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.runner.usage import usage_now

__all__ = ["Reading", "between", "cpus", "disturbed", "read", "run_delay_ns", "told", "total"]

_MOST_DELAY = 0.02
"""Of the time without a CPU. Beside a program on each CPU it is some 3% for a thread that sleeps, 15% and more for one
that computes."""
_MOST_OTHERS = 0.10
"""Of the CPUs' time. A desktop's own programs take a few percent."""

_COUNTED = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal: proc_stat(5); guests are part of user


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters at one moment, in ns."""

    at_ns: int
    delay_ns: int
    busy_ns: int
    own_ns: int
    cores: int


def read(*threads: int) -> Reading | None:
    """Reads the counters of threads of this process and of the machine.

    Args:
        threads: the system's numbers of the threads that measure; the calling one for none.

    Returns:
        None where the system does not tell.
    """
    delays = [run_delay_ns(thread) for thread in threads or (threading.get_native_id(),)]
    usable = cpus()
    busy_ns = _busy_ns(usable)
    known = [delay_ns for delay_ns in delays if delay_ns is not None]
    if busy_ns is None or len(known) < len(delays):
        return None
    own_ns = usage_now().cpu_ns
    return Reading(at_ns=now_ns(), delay_ns=sum(known), busy_ns=busy_ns, own_ns=own_ns, cores=len(usable))


def between(before: Reading | None, after: Reading | None) -> Noise | None:
    """Returns the noise of the time between two readings, None where one of them is."""
    if before is None or after is None:
        return None
    return Noise(
        wall_ns=after.at_ns - before.at_ns,
        delay_ns=max(0, after.delay_ns - before.delay_ns),
        others_ns=max(0, after.busy_ns - before.busy_ns - (after.own_ns - before.own_ns)),
        cores=after.cores,
    )


def total(*parts: Noise | None) -> Noise | None:
    """Returns the noise of several times together, None where none is known."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Noise(
        wall_ns=sum(part.wall_ns for part in known),
        delay_ns=sum(part.delay_ns for part in known),
        others_ns=sum(part.others_ns for part in known),
        cores=known[0].cores,
    )


def disturbed(noise: Noise | None) -> bool:
    """Returns whether the figures show the machine rather than the program."""
    return noise is not None and noise.delay_share > _MOST_DELAY and noise.others_share > _MOST_OTHERS


def told(noise: Noise) -> str:
    """Describes the noise, and the limits that would pass."""
    return (
        f"other programs took {noise.others_share:.0%} of the time of this machine's {noise.cores} CPUs, and what was"
        f" measured waited {noise.delay_share:.0%} of its time for one (up to {_MOST_OTHERS:.0%} or {_MOST_DELAY:.0%}"
        " would pass)"
    )


def run_delay_ns(thread_id: int) -> int | None:
    """Returns the time a thread of this process was ready without a CPU, in ns, None where it is not recorded."""
    try:
        return int(Path(f"/proc/self/task/{thread_id}/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


def cpus() -> frozenset[int]:
    """Returns the numbers of the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _busy_ns(usable: frozenset[int]) -> int | None:
    """Returns the time that CPUs have computed for any program, in ns, None where the system does not record it."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        tick_ns = NS_PER_S // os.sysconf("SC_CLK_TCK")
        ticks = 0
        for line in lines:
            name, *fields = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in usable:
                ticks += sum(int(fields[column]) for column in _COUNTED)
    except (OSError, ValueError, IndexError):
        return None
    return ticks * tick_ns
