"""Records made by hand, and the command line as a subprocess."""

from dataclasses import replace
import os
from pathlib import Path
import subprocess
import sys
import time

import psutil
import pytest

from loopstall.loops import LOOPS
from loopstall.records import (
    Burst,
    Cell,
    Environment,
    Frame,
    Load,
    Measured,
    Pair,
    Plan,
    Run,
    RunError,
    Series,
    Stall,
    Strategy,
    WorkloadRef,
)
from loopstall.stats import histogram

MS = 1_000_000

HEADER = """
import os, signal, sys, threading, time
from loopstall import workload

def ok(result, seed, **params):
    return result == seed
"""


def cell(name="work", loop="asyncio", dispatch="inline", params=(), **extra):
    return Cell(
        workload=WorkloadRef(path=extra.pop("path", f"/somewhere/{name}.py"), name=name),
        params=params,
        strategy=Strategy(loop=loop, dispatch=dispatch),
        load=extra.pop("load", Load(jobs=10)),
        **extra,
    )


def measured(*, jobs=10, wall_ms=100.0, stalls_ms=(), lag_ms=0.1, cpu_ms=50.0, frame=None):
    stalls = tuple(
        Stall(
            start_ns=int(n * 10 * MS),
            duration_ns=int(length * MS),
            culprit=frame or Frame(file="/app/user.py", line=7, function="handler"),
            stack=(frame or Frame(file="/app/user.py", line=7, function="handler"),),
        )
        for n, length in enumerate(stalls_ms)
    )
    lag = histogram.from_counts([(int(lag_ms * MS), 100)])
    return Measured(
        jobs=jobs,
        wall_ns=int(wall_ms * MS),
        service=lag,
        response=lag,
        lag=lag,
        lag_uncorrected=lag,
        response_series=Series(width_ns=MS, at_ns=(0, MS), peak_ns=(1000, 2000), count=2),
        lag_series=Series(width_ns=MS, at_ns=(0, MS), peak_ns=(1000, 2000), count=2),
        stalls=stalls,
        stall_count=len(stalls),
        stalled_ns=int(sum(stalls_ms) * MS),
        threshold_ns=5 * MS,
        interval_ns=MS,
        setup_ns=1000,
        priming_ns=0,
        cpu_user_ns=int(cpu_ms * MS),
        cpu_system_ns=0,
        children_cpu_ns=0,
        peak_memory_bytes=30 << 20,
        switches_voluntary=3,
        switches_involuntary=1,
    )


ENVIRONMENT = Environment(
    python="3.11.7",
    implementation="CPython",
    loop="asyncio of Python 3.11.7",
    platform="Linux",
    kernel="Linux 6",
    cpu="a CPU",
    cores=2,
    governor="unknown",
    load_1min=0.5,
    gil=True,
    packages=(("loopstall", "0.1.0"),),
    commit="abc",
)


def run(where=None, *, index=0, figures=None, error=None):
    return Run(
        cell=where or cell(),
        index=index,
        seed=1,
        started_at="2026-01-02T03:04:05.000+00:00",
        process_ns=200 * MS,
        environment=ENVIRONMENT,
        measured=None if error else (figures or measured()),
        error=error,
    )


def failed(where=None, *, index=0, kind="raised", message="a job raised ValueError: no", detail=""):
    return run(where, index=index, error=RunError(kind=kind, message=message, detail=detail))


def plan(*cells, processes=2, **extra):
    base = Plan(
        name="test",
        created_at="2026-01-02T03:04:05+00:00",
        cells=cells or (cell(),),
        processes=processes,
        seed=1,
        threshold_ns=5 * MS,
        budget_stall_ns=50 * MS,
        budget_availability=0.5,
        time_limit_s=60,
        memory_limit_bytes=0,
    )
    return replace(base, **extra)


def uncovered():
    """The environment of a process that coverage must not be measured in: its imports are looked at."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}


def loopstall(*words, cwd, timeout=120, env=None, **extra):
    """Runs the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "loopstall", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**(os.environ if env is None else env), "LOOPSTALL_TEST": str(cwd)},
        **extra,
    )


def import_or_skip(loop):
    """Imports the module of a loop, or skips the test with the reason that users are told."""
    reason = LOOPS[loop].missing()
    if reason:
        pytest.skip(reason)
    return __import__(loop)


def marked(folder):
    """Processes that a run from this folder has started and that still live."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            ours = "LOOPSTALL_RUN" in environ and environ.get("LOOPSTALL_TEST") == str(folder)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def command_line(process):
    """The words of a process, "" where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def until(condition, limit=60.0):
    """Waits until a condition holds, and says whether it came to that."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def write_workloads(folder: Path, body: str, name: str = "mine.py") -> Path:
    """Writes a workload file whose functions may use what HEADER imports."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + body, encoding="utf-8")
    return path


def bursts(*walls_ms, jobs=10, cpu_share=0.9):
    return tuple(Burst(jobs=jobs, wall_ns=int(ms * MS), cpu_ns=int(ms * cpu_share * MS)) for ms in walls_ms)


def pair(where=None, *, index=0, base=(100,) * 4, head=(100,) * 4, base_stalls=(), head_stalls=(), cause="cpu-python"):
    """Two runs side by side: the lengths of their bursts in ms, and of their stalls."""
    sides = []
    for walls, lengths in ((base, base_stalls), (head, head_stalls)):
        figures = measured(jobs=10 * len(walls), wall_ms=sum(walls), stalls_ms=lengths)
        stalls = tuple(replace(stall, cause=cause) for stall in figures.stalls)
        machine_ns = figures.stalled_ns if cause == "descheduled" else 0
        figures = replace(figures, bursts=bursts(*walls), stalls=stalls, descheduled_ns=machine_ns)
        sides.append(run(where, index=index, figures=figures))
    return Pair(base=sides[0], head=sides[1])
