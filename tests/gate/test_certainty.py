"""How certain the pairs of a cell are, and whether more are worth measuring."""

from dataclasses import replace
import math

from helpers import cell, failed, pair
from paired_samples import alike, computing_alike, joined, untimed
import pytest

from loopstall.analysis.summary import Budget
from loopstall.gate.certainty import SURE, better, new_trap, p_value, perhaps_worse, undecided, urgency, wide
from loopstall.gate.criteria import AVAILABILITY, QUICK_CONFIRM, QUICK_DOUBT, QUICK_ROUNDS, TIME, TRAP, Criteria, Look
from loopstall.gate.evidence import PairedSample, differences, finding
from loopstall.records import Estimate, Finding, Pair
from loopstall.stats.paired import signed_rank_p
from loopstall.stats.sequential import student_p

RULES = Criteria(rounds=8, confirm=16)
QUICK = Criteria(rounds=QUICK_ROUNDS, confirm=QUICK_CONFIRM, doubt=QUICK_DOUBT)
UNBOUNDED = Budget(stall_ns=10**15, availability=0.0)
FEW = Look(pairs=8, share=0.25, by_ranks=False)
MANY = Look(pairs=16, share=0.5, by_ranks=True)


def of(heads, **stalls):
    return PairedSample(
        cell=cell(), pairs=tuple(pair(index=index, head=(head,) * 4, **stalls) for index, head in enumerate(heads))
    )


def test_urgent_first_is_a_new_trap_and_then_what_is_most_surely_slower():
    slow, slower = alike(102.0), alike(104.0)
    assert urgency(alike(head_stalls=(90,)), RULES) == 0.0
    assert 0.0 < urgency(slower, RULES) < urgency(slow, RULES) < urgency(alike(), RULES)
    assert urgency(computing_alike(slow), RULES) == student_p([math.log(1.02)] * 8, least_spread=0.005)
    assert urgency(alike(head_stalls=(90,)), replace(RULES, budgets={"work": UNBOUNDED})) == 0.5


def test_new_trap_is_one_of_the_candidate_alone():
    assert new_trap(alike(head_stalls=(90,)), RULES)
    assert not new_trap(alike(base_stalls=(90,), head_stalls=(90,)), RULES)
    assert not new_trap(alike(base_stalls=(90,)), RULES)
    assert not new_trap(alike(head_stalls=(90,)), replace(RULES, budgets={"work": UNBOUNDED}))


@pytest.mark.parametrize(
    ("metric", "sample", "margin"),
    [
        (TIME, computing_alike(of([101, 103, 105, 107, 109, 111, 113, 115])), math.log1p(0.02)),
        (AVAILABILITY, of([100] * 8, base_stalls=(), head_stalls=(40, 40)), 0.02),
    ],
)
def test_few_pairs_are_tested_against_the_effect_by_student(metric, sample, margin):
    early = {TIME: TIME, AVAILABILITY: "availability_but_for_one_stall"}[metric]
    expected = student_p(differences(sample.pairs, early), margin=margin, least_spread=0.005)
    assert 0 < expected < 0.1
    assert p_value(sample, metric, RULES, [FEW]) == pytest.approx(expected / 0.25)
    effects = replace(RULES, effects={"work": 0.01})
    assert p_value(sample, metric, effects, [FEW]) < p_value(sample, metric, RULES, [FEW])


def test_few_pairs_of_a_trap_are_tested_by_the_growth_of_its_stalls():
    sample = PairedSample(
        cell=cell(), pairs=tuple(pair(index=n, head_stalls=(60 + n,) * 4, base_stalls=(6,)) for n in range(8))
    )
    grown = differences(sample.pairs, "longest_stall")
    assert p_value(sample, TRAP, RULES, [FEW]) == 4 * student_p(grown, margin=math.log(2), least_spread=0.005)


def test_many_pairs_are_tested_by_ranks_and_each_look_has_its_own():
    later = joined(alike(104.0, 8), of([103, 97] * 4))
    found = differences(later.pairs, TIME)
    first = student_p(found[:8], margin=math.log1p(0.02), least_spread=0.005) / 0.25
    assert p_value(later, TIME, RULES, [FEW]) == first
    assert p_value(later, TIME, RULES, [MANY]) == signed_rank_p(found) / 0.5
    assert p_value(later, TIME, RULES, [FEW, MANY]) == min(first, signed_rank_p(found) / 0.5)
    assert p_value(later, TIME, RULES, [replace(FEW, by_ranks=True)]) == signed_rank_p(found[:8]) / 0.25
    assert p_value(alike(90.0), TIME, RULES, [FEW]) == 1.0


def test_trap_by_many_pairs_is_one_by_the_workloads_own_budget():
    sample = alike(head_stalls=(90,), count=16)
    assert p_value(sample, TRAP, RULES, [MANY]) == signed_rank_p([1.0] * 16) / 0.5
    assert p_value(sample, TRAP, replace(RULES, budgets={"work": UNBOUNDED}), [MANY]) == 1.0


def test_look_whose_pairs_are_not_there_says_nothing_and_no_later_one_either():
    assert p_value(alike(120.0, 7), TIME, RULES, [FEW, MANY]) == 1.0
    assert p_value(alike(120.0, 8), TIME, RULES, [FEW, MANY]) < 1e-9
    assert p_value(alike(120.0, 8), TIME, RULES, [MANY, FEW]) == 1.0
    assert p_value(alike(head_stalls=(90,)), TRAP, replace(RULES, budgets={"work": UNBOUNDED}), [MANY]) == 1.0


def test_cell_looks_worse_by_half_the_effect_first_and_by_all_of_it_later():
    rules = replace(RULES, alpha=1e-9)
    counts = [look.pairs for look in rules.looks(1)]
    assert counts[:2] == [8, 16]
    for count, open_ in ((8, True), (16, True), (counts[2], False)):
        assert perhaps_worse(alike(101.2, count), rules, 1) is open_
    assert perhaps_worse(alike(102.5, counts[2]), rules, 1)
    assert not perhaps_worse(alike(102.5, counts[-1]), rules, 1)
    assert perhaps_worse(alike(101.2), replace(RULES, effects={"work": 0.01}), 30_000)
    assert not perhaps_worse(alike(101.2), replace(RULES, effects={"work": 0.03}), 1)


def test_cell_that_looks_worse_is_open_up_to_the_look_before_the_last():
    looks = [look.pairs for look in RULES.looks(1)]
    assert looks[-2:] == [24, 40]
    assert perhaps_worse(of([98, 108] * 12), RULES, 1)
    assert not perhaps_worse(of([98, 108] * 20), RULES, 1)


def test_time_that_is_too_noisy_is_open_however_steady_the_cpu_time_is():
    wild = of([50, 200] * 4)
    assert perhaps_worse(computing_alike(wild), RULES, 1)
    assert perhaps_worse(wild, RULES, 1)


def test_change_of_exactly_half_the_effect_does_not_look_worse():
    rules = replace(RULES, effect=0.5, budget=UNBOUNDED)
    assert not undecided(alike(head_stalls=(100,)), rules, 1)  # a quarter of the time is lost
    assert undecided(alike(head_stalls=(104,)), rules, 1)


def test_one_pair_is_doubtful_and_more_by_the_test_of_their_spread():
    once = Criteria(rounds=1, confirm=16)
    assert undecided(alike(103.0, 1), once, 1)
    assert not undecided(alike(100.0, 1), once, 1)
    assert not undecided(alike(102.5, 4), replace(QUICK, doubt=0.0), 1)
    assert undecided(alike(102.5, 4), QUICK, 1)


def test_trap_of_fewer_than_a_third_of_the_pairs_is_taken_for_chance():
    some = [joined(alike(head_stalls=(90,), count=n), alike(count=8 - n)) for n in (2, 3)]
    rules = replace(RULES, effect=0.5)
    assert [undecided(sample, rules, 1) for sample in some] == [False, True]
    assert not undecided(some[1], replace(rules, budgets={"work": UNBOUNDED}), 1)


def test_nothing_is_open_after_a_failure_or_where_no_pair_has_the_figure():
    broken = joined(alike(110.0, 7), PairedSample(cell=cell(), pairs=(Pair(base=pair().base, head=failed()),)))
    assert not undecided(broken, RULES, 1)
    assert not undecided(replace(broken, pairs=(*alike(60.0, 3).pairs, broken.pairs[-1])), QUICK, 1)
    assert not undecided(untimed(alike()), RULES, 1)
    assert not better(untimed(alike()), RULES)


def test_certain_regression_is_decided_and_an_uncertain_or_small_one_is_not():
    for worse in (alike(110.0), alike(base_stalls=(10,), head_stalls=(40, 40, 40))):
        assert not undecided(worse, RULES, 1)
        assert undecided(worse, replace(RULES, alpha=1e-30), 1)
    assert not undecided(alike(head_stalls=(90,) * 4), RULES, 1)
    assert undecided(alike(base_stalls=(49,), head_stalls=(51,)), RULES, 1)
    assert undecided(alike(102.0, 8), RULES, 1)


def test_change_of_exactly_the_effect_is_not_certainly_over_it():
    sample = alike(110.0, 16)
    exactly = replace(RULES, effect=differences(sample.pairs, TIME)[0])
    assert undecided(sample, exactly, 1)
    assert not undecided(sample, replace(exactly, effect=exactly.effect - 1e-9), 1)


def test_stalls_that_grow_for_sure_are_no_certain_trap_while_half_of_the_runs_break_no_budget():
    half = joined(alike(head_stalls=(51, 51), count=4), alike(head_stalls=(49, 49), count=4))
    rules = replace(RULES, effect=0.3)  # more than the time that they take from the loop
    assert not new_trap(half, rules)
    assert p_value(half, TRAP, rules, rules.looks(1)) * 3 < rules.alpha
    assert undecided(half, rules, 1)


@pytest.mark.parametrize("metric", [TIME, AVAILABILITY])
def test_certainty_is_a_p_below_alpha_after_the_correction_for_all_tests(metric):
    sample = of([109, 110, 111, 112] * 2) if metric == TIME else alike(head_stalls=(20, 20))

    def at(alpha):
        return replace(RULES, alpha=alpha, confirm=200)

    exactly = p_value(sample, metric, at(1e-6), at(1e-6).looks(5)) * 5 * 3
    assert undecided(sample, at(exactly), 5)
    assert not undecided(sample, at(1.01 * exactly), 5)


def test_cell_that_looks_much_better_is_measured_on_while_its_pairs_are_few():
    wild = [60, 70, 80, 90]
    assert undecided(of(wild), QUICK, 10)
    assert undecided(of([*wild, 85, 90, 95]), QUICK, 10)
    assert not undecided(of([*wild, 100, 60, 70, 120]), QUICK, 10)  # twice what screens
    assert not undecided(alike(70.0, 4), QUICK, 10)  # sure already
    assert not undecided(of([92, 94, 97, 99]), QUICK, 10)  # better by less than 5%
    assert not undecided(of(wild), replace(QUICK, effects={"work": 0.5}), 10)
    assert undecided(computing_alike(of(wild)), QUICK, 10)
    exactly = -differences(alike(70.0, 4).pairs, TIME)[0]
    assert not undecided(alike(70.0, 4), replace(QUICK, effect=exactly), 10)
    assert undecided(alike(70.0, 4), replace(QUICK, effect=exactly - 1e-9), 10)


def test_better_is_sure_by_ranks_or_by_student():
    assert better(alike(80.0, 40), RULES)
    assert not better(alike(99.0, 40), RULES)
    assert better(alike(99.0, 40), replace(RULES, effects={"work": 0.005}))
    assert not better(alike(101.0, 40), RULES)
    assert better(alike(90.0, 4), RULES)
    assert not better(alike(98.5, 4), RULES)
    assert not better(of([80, 99, 85, 104]), RULES)
    assert not better(alike(1.0, 4), replace(RULES, effect=5.0))
    assert better(alike(0.9, 4), replace(RULES, effect=0.99))


def test_better_is_a_time_and_its_ranks_are_asked_first():
    assert better(computing_alike(alike(80.0, 40)), RULES)
    assert better(of([80] * 36 + [10_000] * 4), RULES)  # the mean says otherwise
    assert not better(alike(50.0, 40), replace(RULES, effect=0.5))
    assert better(alike(50.0, 40), replace(RULES, effect=0.4999))


def test_better_by_few_pairs_is_under_half_a_percent_of_chance(monkeypatch):
    sample = alike(96.45, 4)
    p = student_p([-value for value in differences(sample.pairs, TIME)], margin=-math.log(0.98), least_spread=0.005)
    assert (1 - SURE) / 3 < p < (1 - SURE) / 2
    assert better(sample, RULES)
    monkeypatch.setattr("loopstall.gate.certainty.student_p", lambda *_, **__: (1 - SURE) / 2)
    assert not better(sample, RULES)


def test_width_that_hides_a_change_is_too_wide():
    def measured(low, high, effect=0.02):
        change = Estimate(value=0.0, low=low, high=high, confidence=0.95, runs=8)
        return Finding(metric=TIME, base=1.0, head=1.0, change=change, effect=effect)

    assert wide(measured(-0.1, 0.26))
    assert not wide(measured(-0.1, 0.25))
    assert wide(measured(0.02, 0.26))
    assert not wide(measured(0.021, 0.26))
    assert not wide(measured(-0.1, 0.5, effect=0.5))
    assert wide(measured(-0.1, 0.51, effect=0.5))
    assert finding(alike(103.0).pairs, TIME, effect=0.02).effect == 0.02
