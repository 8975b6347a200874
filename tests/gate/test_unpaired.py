"""Verdicts where the sides were measured apart."""

from dataclasses import replace

from helpers import ENVIRONMENT, cell, failed, measured, run
import pytest

from loopstall.analysis.compare import Figures, figures_of
from loopstall.gate.criteria import Criteria
from loopstall.gate.unpaired import judge_apart, noise_between

WALLS = (100.0, 101.0, 99.0, 100.5, 99.5)


def side(*, slower=1.0, where=None, **how):
    runs = [run(where, index=n, figures=measured(wall_ms=wall * slower, **how)) for n, wall in enumerate(WALLS)]
    return figures_of(runs)


def judged(base, head, noise=0.1, **rules):
    (said,) = judge_apart(base, head, Criteria(**rules), noise)
    return said


def test_equal_sides_are_ok_and_say_that_they_were_measured_apart():
    said = judged(side(), side())
    assert said.verdict == "ok"
    assert "measured apart" in said.rule
    assert {item.metric for item in said.findings} == {"time_per_job", "cpu_per_job", "availability"}


def test_slower_side_is_regressed_with_its_interval_and_the_threshold():
    said = judged(side(), side(slower=1.5))
    assert (said.verdict, said.kind) == ("regressed", "regression")
    assert said.amount == pytest.approx(0.5)
    for part in ("time per job +50.0% [", "] from 10.0 ms", "threshold of 10.0%"):
        assert part in said.rule
    assert judged(side(), side(slower=1.5), noise=0.8).verdict == "ok"
    assert judged(side(), side(slower=1.5), effects={"work": 0.8}).verdict == "ok"
    assert judged(side(slower=1.5), side()).verdict == "improved"


def test_loop_that_is_stalled_more_is_regressed_in_points_of_time_lost():
    said = judged(side(stalls_ms=(10,)), side(stalls_ms=(40,)))
    assert (said.verdict, said.kind) == ("regressed", "stall")
    assert "loop availability" in said.rule
    lost = next(item for item in said.findings if item.metric == "availability")
    assert lost.change.value == pytest.approx(0.3, abs=0.01)
    assert lost.change.low <= lost.change.value <= lost.change.high
    assert "beyond the threshold of 10.0 pp" in said.rule
    assert judged(side(stalls_ms=(10,)), side(stalls_ms=(40,)), noise=0.35).verdict == "ok"


def test_availability_that_cannot_be_judged_is_no_pass():
    said = judged(side(stalls_ms=(60,)), side(stalls_ms=(100,)))
    assert (said.verdict, "the loop availability of a run is zero" in said.rule) == ("inconclusive", True)


def test_new_trap_is_regressed_with_its_culprit_whatever_the_time_says():
    said = judged(side(), side(stalls_ms=(60,)), noise=5)
    assert (said.verdict, said.kind, said.amount) == ("regressed", "stall", 60e6)
    assert str(said.culprit) == "/app/user.py:7 in handler"
    assert said.stack
    old = judged(side(stalls_ms=(60,)), side(stalls_ms=(60,)))
    assert old.verdict == "ok"
    assert judged(side(stalls_ms=(60,)), side(stalls_ms=(60,)), limited=True).verdict == "regressed"


def test_too_few_runs_are_inconclusive_and_what_one_side_lacks_is_added_or_removed():
    assert judged(side(), [Figures.nothing(cell())]).verdict == "inconclusive"
    words = [item.verdict for item in judge_apart(side(), side(where=cell(name="new")), Criteria(), 0.1)]
    assert words == ["removed", "added"]
    assert judged(side(), figures_of([failed()])).verdict == "failed"
    foreign = Figures(row="x", strategy="", key=("x",), values={"peak_memory": [1.0] * 5})
    assert judged([foreign], [foreign]).verdict == "inconclusive"


def test_what_the_controls_and_the_machines_differ_by_widens_the_threshold_and_is_said():
    control = cell(name="sleep", control=True)
    noise = noise_between(side(where=control), side(where=control, slower=1.2), (ENVIRONMENT, ENVIRONMENT))
    assert noise.threshold == pytest.approx(0.4)
    assert any("20%" in note for note in noise.notes)
    other = noise_between(side(), side(), (ENVIRONMENT, replace(ENVIRONMENT, cores=64)))
    assert other.threshold == pytest.approx(0.1)
    assert any("cores 2 against 64" in note for note in other.notes)
