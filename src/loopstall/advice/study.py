"""Measures what advice is made of: the function by itself, then every way at the user's rate, by turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import math
import os
import time
from typing import Protocol

from loopstall.advice import choose
from loopstall.dispatch import DISPATCHES
from loopstall.errors import InconclusiveError, InputError, MeasurementError
from loopstall.records import Advice, Cell, Load, Measured, Noise, Profile, Strategy, WorkloadRef
from loopstall.records.clock import NS_PER_S
from loopstall.runner import environment
from loopstall.runner.launcher import Launcher
from loopstall.runner.noise import cpus, disturbed
from loopstall.runner.process import TIMEOUT
from loopstall.runner.protocol import Request
from loopstall.runner.single import Limits, Runner
from loopstall.workloads import function
from loopstall.workloads.definition import Workload

__all__ = [
    "Allowance",
    "Plan",
    "Progress",
    "Rounds",
    "Subject",
    "default_load",
    "measure_profile",
    "of_function",
    "of_workload",
    "plan",
    "study",
]

_CANDIDATES = ("inline", "native", "to_thread", "processes")
_ROUNDS = 5
_MOST_ROUNDS = 15
_PROBES = 3  # of the function by itself, while the machine is busy
_RUN_S = 1.0  # of load
_START_S = 0.5  # to start a process and end it, about
_SLACK = 1.2
_SILENT = "it told nothing"
_MOST_JOBS, _FEWEST_JOBS = 300, 4  # a run
_BUSY = 0.25  # of the time, where the user names no rate
_FASTEST = 50.0  # jobs a second, there
_SLOWEST = 1.0  # jobs a second: rarer ones do not meet each other either, and a run would take too long


class Progress(Protocol):
    """Is told how far the measurement has come."""

    def expect(self, more: int, /) -> None:
        """Is told how many more runs are to come."""

    def advance(self, label: str, /) -> None:
        """Is told that one of them is done."""


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
    return Subject(target=target, workload=function.call, params=(("target", target), ("given", given)))


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


class Allowance:
    """How long the whole of it may take, from now on.

    Args:
        seconds: as the user said.
        clock: monotonic time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 where it is over."""
        return self._end - self._clock()


def measure_profile(subject: Subject, limits: Limits, allowance: Allowance) -> Profile:
    """Measures the function by itself, in a process of its own, again where the machine was busy with something else.

    Raises:
        InconclusiveError: the allowance is over before it is measured.
        MeasurementError: it raises, hangs, crashes, or no process can be started.
    """
    with Launcher() as launcher:
        for _ in range(_PROBES):
            left_s = allowance.left
            profile = _profile(launcher, subject, limits, allowance)
            took_s = left_s - allowance.left
            if not disturbed(profile.noise) or allowance.left < took_s:
                break
    return profile


def _profile(launcher: Launcher, subject: Subject, limits: Limits, allowance: Allowance) -> Profile:
    request = Request(
        cell=subject.cell("inline", Load(jobs=1)),
        seed=1,
        threshold_ns=limits.threshold_ns,
        memory_limit_bytes=limits.memory_limit_bytes,
        probe=True,
    )
    process = launcher.start()
    try:
        limit_s = min(limits.time_limit_s, max(0.0, allowance.left))
        outcome = process.run(request, limit_s=limit_s, load_ended=lambda: None)
    except OSError as error:
        raise MeasurementError(f"cannot write a request for a measuring process: {error}; make room") from error
    finally:
        process.close()
    if outcome.profile is not None:
        return outcome.profile
    if outcome.error is not None and outcome.error.kind == TIMEOUT and limit_s < limits.time_limit_s:
        raise InconclusiveError(
            f"{subject.target} by itself takes longer than the {allowance.seconds:g} s of --max-seconds allow, for it"
            " is called four times at least; raise it"
        )
    raise MeasurementError(f"{subject.target}: {outcome.error.message if outcome.error is not None else _SILENT}")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured, told before it is.

    Args:
        names: the ways, simplest first.
        missing: why another one cannot be measured.
        load: of each run.
        run_s: how long one takes, about.
        fewest: rounds without which nothing can be recommended; 0 where none is needed.
        needless: why none is needed.
    """

    names: tuple[str, ...]
    missing: Mapping[str, str]
    load: Load
    run_s: float
    fewest: int
    needless: str = ""

    @property
    def round_s(self) -> float:
        """How long each way once takes, about."""
        return len(self.names) * self.run_s

    def told(self, left_s: float) -> str:
        """Says in a sentence what is going to be measured.

        Args:
            left_s: how long it may take.
        """
        if not self.fewest:
            return f"ways are not measured, for {self.needless}"
        runs_s = f"{self.run_s:.0f} s" if self.run_s >= 1 else "1 s"
        return (
            f"{', '.join(self.names)} by turns, {self.load}, about {runs_s} each: {_ROUNDS} to {_MOST_ROUNDS} rounds"
            f" ({self.fewest} at least), in the {max(0.0, left_s):.0f} s that are left"
        )


def plan(subject: Subject, profile: Profile, load: Load) -> Plan:
    """Returns what has to be measured of a function whose profile is known."""
    missing = {name: why for name in _CANDIDATES if (why := _why_missing(name, subject, profile)) is not None}
    names = tuple(name for name in _CANDIDATES if name not in missing)
    missing.pop("native", None)  # nothing to tell of a twin that nobody has written
    needless = ""
    if disturbed(profile.noise):
        needless = "the machine is busy with something else"
    elif choose.needs_queue(profile, load, _cores()):  # measuring would take for ever, and show nothing else
        needless = "a task queue is needed at this rate or duration"
    return Plan(
        names=names,
        missing=missing,
        load=load,
        run_s=_run_s(profile, load),
        fewest=0 if needless else max(choose.FEWEST_RUNS, math.ceil(choose.FEWEST_JOBS / (load.jobs or 1))),
        needless=needless,
    )


def _run_s(profile: Profile, load: Load) -> float:
    """Returns how long a run takes at least, about: until the last job is due, and that one."""
    duration_s = profile.duration.value / NS_PER_S
    jobs = load.jobs or 1
    if load.rate is None:
        return _START_S + jobs * duration_s
    return _START_S + max(jobs / load.rate, jobs * duration_s) + duration_s


def study(
    subject: Subject,
    profile: Profile,
    planned: Plan,
    *,
    limits: Limits,
    allowance: Allowance,
    progress: Progress,
) -> Advice:
    """Measures every way by turns, and recommends one.

    Args:
        subject: what to measure.
        profile: of the function by itself.
        planned: what ``plan`` returned.
        limits: of each run.
        allowance: how long it may take; a run that is not over then is given up.
        progress: told of what is to come and of what is done.

    Raises:
        MeasurementError: no process can be started.
    """
    rounds = Rounds(planned.names, planned.missing)

    def advice() -> Advice:
        return choose.choose(
            target=subject.target, load=planned.load, profile=profile, runs=rounds.runs, missing=rounds.missing,
            cores=_cores(), noises=rounds.noises,
        )  # fmt: skip

    if not planned.fewest:
        return advice()
    if planned.fewest * planned.round_s > allowance.left:  # a recommendation is out of reach: say so at once
        return _late(advice(), planned, allowance, done=0)
    with Runner(environment.describe(), limits) as runner:
        progress.expect(min(_ROUNDS, max(planned.fewest, int(allowance.left / planned.round_s))) * len(planned.names))
        for number in range(_MOST_ROUNDS):
            if number >= _ROUNDS:
                progress.expect(len(rounds.names))
            if not _round(runner, rounds, number, subject=subject, planned=planned, allowance=allowance,
                          progress=progress):  # fmt: skip
                break
            found = advice()
            hopeless = not rounds.quiet
            if number + 1 >= _ROUNDS and (
                hopeless or (found.choice and choose.settled(rounds.runs, planned.load, profile))
            ):
                return found
        else:  # there was time enough, and more rounds would tell no more
            return found
    found = advice()
    return found if found.choice or found.noise is not None else _late(found, planned, allowance, done=rounds.quiet)


def _round(
    runner: Runner,
    rounds: "Rounds",
    number: int,
    *,
    subject: Subject,
    planned: Plan,
    allowance: Allowance,
    progress: Progress,
) -> bool:
    """Measures each way once, and says whether there was time enough for it."""
    names = rounds.names
    measured: dict[str, Measured] = {}
    for name in names[number % len(names) :] + names[: number % len(names)]:
        left_s = allowance.left
        if left_s <= 0:
            return False
        run = runner.run(subject.cell(name, planned.load), index=number, seed=1 + 101 * number, limit_s=left_s)
        if run.measured is not None:
            measured[name] = run.measured
        elif run.error is not None and run.error.kind == TIMEOUT and left_s < runner.time_limit_s:
            return False
        else:
            rounds.fail(name, run.error.message if run.error is not None else _SILENT)
        progress.advance(f"round {number + 1}: {name}")
    rounds.add(measured)
    return True


class Rounds:
    """What was measured by turns, apart from the rounds that the machine disturbed."""

    def __init__(self, names: Sequence[str], missing: Mapping[str, str]) -> None:
        self.names = list(names)
        self.missing = dict(missing)
        self.runs: dict[str, list[Measured]] = {name: [] for name in names}
        self.noises: list[Noise] = []
        self.quiet = 0

    def fail(self, name: str, why: str) -> None:
        """Leaves a way out from now on."""
        self.names = [other for other in self.names if other != name]
        self.missing[name] = why
        self.runs.pop(name)

    def add(self, measured: Mapping[str, Measured]) -> None:
        """Takes a round in, unless one of its runs was disturbed: ways are compared within rounds."""
        noisy = [run.noise for run in measured.values() if run.noise is not None and disturbed(run.noise)]
        if noisy:
            self.noises.append(max(noisy, key=lambda noise: noise.delay_share))
            return
        self.quiet += 1
        for name, run in measured.items():
            if name in self.runs:
                self.runs[name].append(run)


def _late(advice: Advice, planned: Plan, allowance: Allowance, *, done: int) -> Advice:
    """Returns advice without a choice that says what limit would do."""
    spent_s = allowance.seconds - allowance.left
    needed_s = spent_s + max(1, planned.fewest - done) * planned.round_s
    hint = math.ceil(_SLACK * needed_s / 10) * 10
    return replace(
        advice,
        choice="",
        reason=(
            f"{advice.reason}; {planned.fewest} rounds of about {planned.round_s:.0f} s each are needed, and the"
            f" {allowance.seconds:g} s of --max-seconds leave {done}: ask again with --max-seconds {hint}"
        ),
    )


def _why_missing(name: str, subject: Subject, profile: Profile) -> str | None:
    if name == "processes" and profile.unpicklable:
        return profile.unpicklable
    return subject.workload.why_not(name, dict(subject.params)) or DISPATCHES[name].missing(subject.workload)


def _cores() -> int:
    return len(cpus())
