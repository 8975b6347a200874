"""Plans the measurement of a function whose profile is known: the load, the dispatches, the number of rounds.

It hands on a ``Plan`` that can be told before it is carried out, and starts no process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import math
import os

from loopstall.advice import choose
from loopstall.advice.subject import Subject
from loopstall.dispatch import DISPATCHES, processes
from loopstall.records import Load, Profile
from loopstall.records.cells import ASYNC
from loopstall.records.clock import NS_PER_S
from loopstall.runner.noise import cpus, disturbed

__all__ = ["MOST_ROUNDS", "ROUNDS", "Plan", "cores", "default_load", "plan"]

ROUNDS, MOST_ROUNDS = 5, 15
"""Of all ways: what is enough where they settle a choice, and after how many more would tell no more."""

_RUN_S = 1.0  # of load
_START_S = 0.5  # to start a process and end it, about
_MOST_JOBS, _FEWEST_JOBS = 300, 4  # a run
_BUSY = 0.25  # of the time, where the user names no rate
_FASTEST = 50.0  # jobs a second, there
_SLOWEST = 1.0  # jobs a second: rarer ones do not meet each other either, and a run would take too long


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
    """A plan of a measurement, which is shown before it is carried out.

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
        """The approximate time of a round: each way once."""
        return len(self.names) * self.run_s

    def told(self, left_s: float) -> str:
        """Describes the planned measurement in a sentence.

        Args:
            left_s: how long it may take.
        """
        if not self.fewest:
            return f"ways are not measured, for {self.needless}"
        runs_s = f"{self.run_s:.0f} s" if self.run_s >= 1 else "1 s"
        return (
            f"{', '.join(self.names)} in turns, {self.load}, about {runs_s} each:"
            f" {ROUNDS} to {MOST_ROUNDS} rounds ({self.fewest} at least), in the {max(0.0, left_s):.0f} s that are left"
        )


def plan(subject: Subject, profile: Profile, load: Load) -> Plan:
    """Returns what has to be measured of a function whose profile is known."""
    missing = {name: why for name in choose.SIMPLEST_FIRST if (why := _why_missing(name, subject, profile)) is not None}
    names = tuple(name for name in choose.SIMPLEST_FIRST if name not in missing)
    missing.pop(ASYNC, None)  # nothing to say about an async version that nobody has written
    needless = ""
    if disturbed(profile.noise):
        needless = "the machine is busy with something else"
    elif choose.needs_queue(profile, load, cores()):  # measuring would take for ever, and show nothing else
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


def _why_missing(name: str, subject: Subject, profile: Profile) -> str | None:
    if name == processes.DISPATCH.name and profile.unpicklable:
        return profile.unpicklable
    return subject.workload.why_not(name, dict(subject.params)) or DISPATCHES[name].missing(subject.workload)


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(cpus())
