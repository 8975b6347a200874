"""Measures the function by itself, in a process of its own.

It hands on its profile, and knows no way off the loop.
"""

from loopstall.advice.subject import Allowance, Subject
from loopstall.errors import InconclusiveError, MeasurementError
from loopstall.records import Load, Profile, RunError
from loopstall.records.cells import INLINE
from loopstall.runner.launcher import Launcher
from loopstall.runner.noise import disturbed
from loopstall.runner.process import TIMEOUT
from loopstall.runner.protocol import Request
from loopstall.runner.single import Limits

__all__ = ["measure_profile", "why"]

_PROBES = 3  # of the function by itself, while the machine is busy


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
        cell=subject.cell(INLINE, Load(jobs=1)),
        seed=1,
        threshold_ns=limits.threshold_ns,
        memory_limit_bytes=limits.memory_limit_bytes,
        probe=True,
    )
    process = launcher.start()
    try:
        limit_s = min(limits.time_limit_s, max(0.0, allowance.left))
        outcome = process.run(request, limit_s=limit_s, load_ended=lambda: None)
    finally:
        process.close()
    if outcome.profile is not None:
        return outcome.profile
    if outcome.error is not None and outcome.error.kind == TIMEOUT and limit_s < limits.time_limit_s:
        raise InconclusiveError(
            f"{subject.target} by itself takes longer than the {allowance.seconds:g} s of --max-seconds allow, for it"
            " is called four times at least; raise it"
        )
    raise MeasurementError(f"{subject.target}: {why(outcome.error)}")


def why(error: RunError | None) -> str:
    """Says in words why a run has no figures."""
    return error.message if error is not None else "it told nothing"
