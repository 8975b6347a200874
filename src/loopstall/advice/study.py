"""Measures what advice is made of: the function by itself, then every way at the user's rate, by turns."""

from collections.abc import Callable
from dataclasses import dataclass
import os
import time

from loopstall import environment
from loopstall.advice import call, choose
from loopstall.dispatch import DISPATCHES
from loopstall.errors import InputError, MeasurementError
from loopstall.keeper import Keeper
from loopstall.protocol import Request
from loopstall.records import Advice, Cell, Load, Measured, Profile, Strategy, WorkloadRef
from loopstall.runner import Limits, Runner
from loopstall.workloads import Workload

__all__ = ["Subject", "default_load", "measure_profile", "of_function", "of_workload", "study"]

_CANDIDATES = ("inline", "native", "to_thread", "processes")
_ROUNDS = 5
_MOST_ROUNDS = 15
_RUN_S = 1.0  # of load
_MOST_JOBS, _FEWEST_JOBS = 300, 4  # a run
_BUSY = 0.25  # of the time, where the user names no rate
_FASTEST = 50.0  # jobs a second, there
_SLOWEST = 1.0  # jobs a second: rarer ones do not meet each other either, and a run would take too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured: a workload with parameters, and how the user named it."""

    target: str
    workload: Workload
    params: tuple[tuple[str, int | float | str | bool], ...]

    def cell(self, dispatch: str, load: Load) -> Cell:
        """Returns the cell of one way."""
        return Cell(
            workload=WorkloadRef(path=self.workload.path, name=self.workload.name),
            params=self.params,
            strategy=Strategy(loop="asyncio", dispatch=dispatch),
            load=load,
        )


def of_function(target: str, given: str) -> Subject:
    """Returns what stands for a function with arguments, both as the user wrote them."""
    return Subject(target=target, workload=call.call, params=(("target", target), ("given", given)))


def of_workload(workload: Workload, params: tuple[tuple[str, int | float | str | bool], ...]) -> Subject:
    """Returns what stands for a workload at one point of its parameters.

    Raises:
        InputError: it has no synchronous side there, and so nothing that could be got off a loop.
    """
    cell = Cell(
        workload=workload.ref, params=params, strategy=Strategy(loop="asyncio", dispatch="inline"), load=Load(jobs=1)
    )
    why_not = workload.why_not("inline", dict(params))
    if why_not is not None:
        raise InputError(f"there is nothing to advise on {cell.row}: {why_not}; name one with a synchronous side")
    return Subject(target=cell.row, workload=workload, params=params)


def measure_profile(subject: Subject, limits: Limits) -> Profile:
    """Measures the function by itself, in a process of its own.

    Raises:
        MeasurementError: it raises, hangs, crashes, or no process can be started.
    """
    request = Request(
        cell=subject.cell("inline", Load(jobs=1)),
        seed=1,
        threshold_ns=limits.threshold_ns,
        memory_limit_bytes=limits.memory_limit_bytes,
        probe=True,
    )
    with Keeper() as keeper:
        process = keeper.start()
        try:
            outcome = process.run(request, limit_s=limits.time_limit_s, load_ended=lambda: None)
        except OSError as error:
            raise MeasurementError(f"cannot write a request for a measuring process: {error}; make room") from error
        finally:
            process.close()
    if outcome.profile is None:
        why = outcome.error.message if outcome.error is not None else "it told nothing"
        raise MeasurementError(f"{subject.target}: {why}")
    return outcome.profile


def default_load(profile: Profile, *, rate: float | None, concurrency: int | None) -> Load:
    """Returns the load: the user's own, else a rate at which jobs would run a quarter of the time, or 50 a second.

    What is rarer than one job a second is measured at one a second.

    Args:
        profile: of the function.
        rate: jobs a second, if the user names one.
        concurrency: jobs at a time, if the user names that.
    """
    duration_s = max(1e-9, profile.duration.value / 1e9)
    if rate is None and concurrency is not None:
        jobs = int(_RUN_S / duration_s)
        return Load(jobs=min(_MOST_JOBS, max(_FEWEST_JOBS, concurrency, jobs)), concurrency=concurrency)
    quarter = float(f"{_BUSY / duration_s:.2g}")
    slowest = min(_SLOWEST, quarter)
    rate = max(slowest, float(f"{rate:.3g}")) if rate is not None else min(_FASTEST, quarter)
    jobs = int(_RUN_S * rate)
    return Load(
        jobs=min(_MOST_JOBS, max(_FEWEST_JOBS, jobs)), rate=rate, concurrency=concurrency or os.cpu_count() or 1
    )


def study(
    subject: Subject,
    profile: Profile,
    load: Load,
    *,
    limits: Limits,
    max_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    told: Callable[[str], object] = lambda _text: None,
) -> Advice:
    """Measures every way by turns, and recommends one.

    Args:
        subject: what to measure.
        profile: of the function by itself.
        load: how jobs come.
        limits: of each run.
        max_seconds: after which no new round begins.
        clock: monotonic time in seconds.
        told: called with what is being measured.

    Raises:
        MeasurementError: no process can be started.
    """
    missing = {name: why for name in _CANDIDATES if (why := _why_missing(name, subject, profile)) is not None}
    names = [name for name in _CANDIDATES if name not in missing]
    missing.pop("native", None)  # nothing to tell of a twin that nobody has written
    runs: dict[str, list[Measured]] = {name: [] for name in names}
    if choose.needs_queue(profile, load, _cores()):  # measuring would take for ever, and show nothing else
        return _advice(subject, profile, load, {}, {})
    begun = clock()
    with Runner(environment.describe(), limits) as runner:
        for number in range(_MOST_ROUNDS):
            if number and clock() - begun > max_seconds:
                break
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if name in missing:
                    continue
                told(f"round {number + 1}: {name}")
                run = runner.run(subject.cell(name, load), index=number, seed=1 + 101 * number)
                if run.measured is None:
                    missing[name] = run.error.message if run.error is not None else "it told nothing"
                    runs.pop(name)
                else:
                    runs[name].append(run.measured)
            advice = _advice(subject, profile, load, runs, missing)
            if number + 1 >= _ROUNDS and advice.choice and choose.settled(runs, load, profile):
                break
    return advice


def _advice(
    subject: Subject, profile: Profile, load: Load, runs: dict[str, list[Measured]], missing: dict[str, str]
) -> Advice:
    return choose.choose(target=subject.target, load=load, profile=profile, runs=runs, missing=missing, cores=_cores())


def _why_missing(name: str, subject: Subject, profile: Profile) -> str | None:
    if name == "processes" and profile.unpicklable:
        return profile.unpicklable
    return subject.workload.why_not(name, dict(subject.params)) or DISPATCHES[name].missing(subject.workload)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
