"""Measures every way at the user's rate, by turns, round by round, until a choice is settled or the time is over.

It hands on the advice. What to measure is planned before, and which way is recommended is decided elsewhere.
"""

from dataclasses import replace
import math
from typing import Protocol

from loopstall.advice import choose
from loopstall.advice.alone import why
from loopstall.advice.plan import MOST_ROUNDS, ROUNDS, Plan, cores
from loopstall.advice.rounds import Rounds
from loopstall.advice.subject import Allowance, Subject
from loopstall.records import Advice, Measured, Profile
from loopstall.runner import environment
from loopstall.runner.process import TIMEOUT
from loopstall.runner.single import Limits, Runner

__all__ = ["Progress", "study"]

_SLACK = 1.2


class Progress(Protocol):
    """Progress of the measurement."""

    def expect(self, more: int, /) -> None:
        """Takes the number of further runs."""

    def advance(self, label: str, /) -> None:
        """Counts a finished run."""


def study(
    subject: Subject,
    profile: Profile,
    planned: Plan,
    *,
    limits: Limits,
    allowance: Allowance,
    progress: Progress,
) -> Advice:
    """Measures every way in interleaved rounds, and recommends one.

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
            cores=cores(), noises=rounds.noises,
        )  # fmt: skip

    if not planned.fewest:
        return advice()
    if planned.fewest * planned.round_s > allowance.left:  # a recommendation is out of reach: say so at once
        return _late(advice(), planned, allowance, done=0)
    with Runner(environment.describe(), limits) as runner:
        progress.expect(min(ROUNDS, max(planned.fewest, int(allowance.left / planned.round_s))) * len(planned.names))
        for number in range(MOST_ROUNDS):  # more would tell no more
            if number >= ROUNDS:
                progress.expect(len(rounds.names))
            if not _round(runner, rounds, number, subject=subject, planned=planned, allowance=allowance,
                          progress=progress):  # fmt: skip
                break
            if number + 1 >= ROUNDS and _told_enough(rounds, advice(), planned, profile):
                return advice()
        else:
            return advice()
    found = advice()
    return found if found.choice or found.noise is not None else _late(found, planned, allowance, done=rounds.quiet)


def _told_enough(rounds: Rounds, found: Advice, planned: Plan, profile: Profile) -> bool:
    """Returns whether further rounds would change nothing, or the machine has disturbed every one so far."""
    return not rounds.quiet or (bool(found.choice) and choose.settled(rounds.runs, planned.load, profile))


def _round(
    runner: Runner,
    rounds: Rounds,
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
            rounds.fail(name, why(run.error))
        progress.advance(f"round {number + 1}: {name}")
    rounds.add(measured)
    return True


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
            f" {allowance.seconds:g} s of --max-seconds leave {done}: run it again with --max-seconds {hint}"
        ),
    )
