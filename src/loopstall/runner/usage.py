"""Resource usage of a process and its children: CPU, memory, context switches.

On Linux the children's part is read from /proc while they live; elsewhere only children that have ended count.
"""

import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import sys

__all__ = ["Usage", "children_usage", "usage_now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counters since a process' start; the difference of two is what a span of time used."""

    cpu_user_ns: int
    cpu_system_ns: int
    children_cpu_ns: int
    peak_memory_bytes: int
    switches_voluntary: int
    switches_involuntary: int

    @property
    def cpu_ns(self) -> int:
        """All CPU time."""
        return self.cpu_user_ns + self.cpu_system_ns + self.children_cpu_ns


def usage_now() -> Usage:
    """Reads the counters of this process and its children."""
    try:
        import resource  # not on Windows
    except ImportError:
        times = os.times()
        return Usage(
            cpu_user_ns=int(times.user * 1e9),
            cpu_system_ns=int(times.system * 1e9),
            children_cpu_ns=int((times.children_user + times.children_system) * 1e9),
            peak_memory_bytes=0,
            switches_voluntary=0,
            switches_involuntary=0,
        )
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living_cpu_ns, living_memory = children_usage()
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(
        cpu_user_ns=int(own.ru_utime * 1e9),
        cpu_system_ns=int(own.ru_stime * 1e9),
        children_cpu_ns=int((ended.ru_utime + ended.ru_stime) * 1e9) + living_cpu_ns,
        peak_memory_bytes=own.ru_maxrss * unit + living_memory,
        switches_voluntary=own.ru_nvcsw,
        switches_involuntary=own.ru_nivcsw,
    )


def children_usage() -> tuple[int, int]:
    """Returns CPU time in ns and peak memory in bytes of the processes below this one that live, at any depth."""
    pids = _children()
    for pid in pids:  # it grows meanwhile
        pids += _children(pid)
    living = [_living(pid) for pid in pids]
    return sum(cpu for cpu, _ in living), sum(memory for _, memory in living)


def _children(of: int | str = "self") -> list[int]:
    pids: list[int] = []
    for listing in Path(f"/proc/{of}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += [int(pid) for pid in listing.read_text(encoding="ascii").split()]
    return pids


def _living(pid: int) -> tuple[int, int]:
    """Returns CPU time in ns and peak memory in bytes of a child, zeros where it has just ended."""
    cpu_ns = peak = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            cpu_ns += int(thread.read_text(encoding="ascii").split()[0])
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024
    return cpu_ns, peak
