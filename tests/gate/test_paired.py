from dataclasses import replace
import itertools
import random

from helpers import cell, failed, pair
import pytest

from loopstall.analysis.summary import Budget
from loopstall.gate.certainty import undecided
from loopstall.gate.criteria import QUICK_CONFIRM, QUICK_DOUBT, QUICK_ROUNDS, TESTED, Criteria
from loopstall.gate.evidence import PairedSample, differences
from loopstall.gate.paired import judge
from loopstall.records import Pair
from loopstall.stats.paired import fewest_pairs, signed_rank_p

RULES = Criteria(rounds=8, confirm=16)
QUICK = Criteria(rounds=QUICK_ROUNDS, confirm=QUICK_CONFIRM, doubt=QUICK_DOUBT)


def noisy(count, *, slower=1.0, spread=0.01, seed=1, where=None, **stalls):
    chance = random.Random(seed)
    return tuple(
        pair(
            where,
            index=index,
            base=[100 * chance.gauss(1, spread) for _ in range(8)],
            head=[100 * slower * chance.gauss(1, spread) for _ in range(8)],
            **stalls,
        )
        for index in range(count)
    )


def evidence(count=24, *, where=None, **how):
    where = where or cell()
    return PairedSample(cell=where, pairs=noisy(count, where=where, **how))


def verdict(item, rules=RULES, others=0):
    rest = [evidence(8, where=cell(name=f"other{n}")) for n in range(others)]
    return judge([item, *rest], rules)[0]


def test_unchanged_cell_is_ok_and_shows_its_interval():
    said = verdict(evidence(8))
    assert said.verdict == "ok"
    assert "time per job" in said.rule
    assert "8 pairs" in said.rule
    assert {finding.metric for finding in said.findings} == {"time_per_job", "availability", "cpu_per_job"}


def test_slower_cell_is_regressed_with_ratio_interval_threshold_and_p():
    said = verdict(evidence(slower=1.1), others=29)
    assert said.verdict == "regressed"
    assert (said.kind, said.amount) == ("regression", pytest.approx(0.1, abs=0.02))
    for part in ("time per job +10.0% [", "+10", "[", "threshold of 2.0%", "corrected p = ", "24 pairs"):
        assert part in said.rule


def test_certain_change_below_the_effect_is_ok():
    said = verdict(evidence(slower=1.015, spread=0.001))
    assert said.verdict == "ok"
    assert verdict(evidence(slower=1.015, spread=0.001), replace(RULES, effect=0.01)).verdict == "regressed"


def test_effect_of_a_single_workload_goes_before_the_common_one():
    rules = replace(RULES, effects={"work": 0.2})
    assert verdict(evidence(slower=1.1), rules).verdict == "ok"


def test_what_looked_worse_and_then_did_not_is_ok_and_says_that_it_was_measured_again():
    said = verdict(PairedSample(cell=cell(), pairs=(*noisy(8, slower=1.03), *noisy(16, seed=3))))
    assert said.verdict == "ok"
    assert "nothing was confirmed" in said.rule


@pytest.mark.parametrize("count", [4, 8, 24])
def test_improvement_is_said_when_it_is_sure(count):
    said = verdict(evidence(count, slower=0.8), replace(RULES, rounds=min(count, 8)))
    assert said.verdict == "improved"
    assert "-20" in said.rule
    assert "99% confidence" in said.rule
    for unsure in (evidence(count, slower=0.985, spread=0.001), evidence(count, slower=0.9, spread=0.5)):
        assert verdict(unsure, replace(RULES, rounds=min(count, 8))).verdict != "improved"


def test_large_changes_are_decided_by_the_few_pairs_of_a_quick_gate_and_small_ones_are_not():
    assert verdict(evidence(4, slower=1.3), QUICK, others=9).verdict == "regressed"
    assert not undecided(evidence(4, slower=1.3), QUICK, 10)
    said = verdict(evidence(4, slower=1.03), QUICK, others=9)
    assert said.verdict == "inconclusive"
    assert "only 4 of 8 pairs were measured to settle it" in said.rule
    assert undecided(evidence(4, slower=1.03), QUICK, 10)


def test_quick_gate_passes_over_what_does_not_stand_out_from_the_noise_and_a_whole_one_does_not():
    lost_in_noise = [pair(index=n, head=(head,) * 8) for n, head in enumerate((95, 101, 105, 109))]
    assert not again(lost_in_noise, rounds=4, doubt=0.15)
    assert again(lost_in_noise, rounds=4)
    stands_out = [pair(index=n, head=(head,) * 8) for n, head in enumerate((101, 103, 102, 106))]
    assert again(stands_out, rounds=4, doubt=0.15)


def test_pairs_that_agree_to_the_digit_by_chance_are_not_believed():
    """Four that differ by 2.9 to 2.901%: processes of one layout on either side, which four pairs can be by chance."""
    close = [pair(index=n, head=(102.9 + n / 3000,) * 8) for n in range(4)]
    assert verdict(PairedSample(cell=cell(), pairs=tuple(close)), QUICK).verdict == "inconclusive"


def test_cell_that_looks_much_better_is_measured_on_until_it_is_sure():
    wild = tuple(pair(index=n, head=(60 + 10 * (n % 4),) * 8) for n in range(16))
    assert undecided(PairedSample(cell=cell(), pairs=wild[:4]), QUICK, 10)
    assert (
        verdict(PairedSample(cell=cell(), pairs=wild[:4]), QUICK).verdict == "ok"
    )  # where the time is over: not worse
    assert verdict(PairedSample(cell=cell(), pairs=wild[:8]), QUICK).verdict == "improved"


def test_cell_without_all_its_pairs_is_inconclusive_and_says_what_is_missing():
    said = verdict(evidence(3))
    assert said.verdict == "inconclusive"
    assert "3 of 8 pairs" in said.rule
    said = verdict(evidence(13, slower=1.03, spread=0.1))
    assert said.verdict == "inconclusive"
    assert "13 of 16" in said.rule


def test_machine_too_noisy_to_tell_is_inconclusive():
    chance = random.Random(5)
    wild = tuple(pair(index=n, head=(100 * chance.lognormvariate(0, 1.5),) * 8) for n in range(40))
    said = verdict(PairedSample(cell=cell(), pairs=wild))
    assert said.verdict == "inconclusive"
    assert "noisy" in said.rule
    assert undecided(PairedSample(cell=cell(), pairs=wild[:8]), RULES, 1)


def test_cell_too_noisy_to_tell_is_measured_again_and_then_judged():
    one_wild = (pair(index=0, head=(150.0,) * 8), *noisy(3))
    assert undecided(PairedSample(cell=cell(), pairs=one_wild), QUICK, 1)
    assert not undecided(evidence(4), QUICK, 1)
    said = verdict(PairedSample(cell=cell(), pairs=one_wild), QUICK)
    assert said.verdict == "inconclusive"
    assert "is too noisy to tell, and only 4 of 8 pairs were measured to settle it" in said.rule
    assert verdict(PairedSample(cell=cell(), pairs=(*one_wild, *noisy(16))), QUICK).verdict == "ok"


def test_trap_that_appears_is_regressed_with_its_culprit_and_stack():
    item = evidence(head_stalls=(90,))
    said = verdict(item, others=29)
    assert said.verdict == "regressed"
    assert said.kind == "stall"
    assert "trap that the baseline does not have" in said.rule
    assert str(said.culprit) == "/app/user.py:7 in handler"
    assert said.stack
    assert said.amount == 90e6


def test_trap_that_the_baseline_has_too_is_none_of_the_gates_business_unless_a_budget_is_asked_for():
    item = evidence(base_stalls=(90,), head_stalls=(90,))
    assert verdict(item).verdict == "ok"
    said = verdict(item, replace(RULES, limited=True))
    assert said.verdict == "regressed"
    assert "over its budget" in said.rule


def test_stalls_of_the_machine_break_no_budget_and_no_verdict():
    item = evidence(head_stalls=(90, 200), cause="descheduled")
    assert verdict(item, replace(RULES, limited=True)).verdict == "ok"


def test_lost_availability_is_regressed():
    item = evidence(base_stalls=(10,), head_stalls=(40, 40, 40))
    said = verdict(item)
    assert said.verdict == "regressed"
    assert "loop availability -13.7 pp [-13.7 pp, -13.7 pp] from 98.7%" in said.rule


def test_budget_of_a_single_workload_goes_before_the_common_one():
    rules = replace(RULES, limited=True, budgets={"work": Budget(stall_ns=200_000_000)})
    assert verdict(evidence(base_stalls=(90,), head_stalls=(90,)), rules).verdict == "ok"


def test_failure_of_either_side_is_its_own_verdict():
    good = pair()
    broken = Pair(base=good.base, head=failed(kind="wrong-result", message="the job of seed 1 returned 2"))
    said = verdict(PairedSample(cell=cell(), pairs=(broken,)))
    assert said.verdict == "failed"
    assert said.rule.startswith("the candidate: the job of seed 1")


def test_cell_that_failed_is_not_measured_again():
    broken = Pair(base=pair().base, head=failed())
    assert not undecided(PairedSample(cell=cell(), pairs=(broken,)), RULES, 1)


def test_swapped_sides_have_the_opposite_difference():
    pairs = noisy(8, slower=1.07)
    swapped = [Pair(base=one.head, head=one.base) for one in pairs]
    for metric in ("time_per_job", "cpu_per_job", "availability", "trap"):
        there, back = (differences(side, metric, Budget()) for side in (pairs, swapped))
        assert there == pytest.approx([-value for value in back])


def test_difference_does_not_depend_on_the_unit():
    pairs = noisy(8, slower=1.07)
    scaled = [
        Pair(
            **{
                side: replace(
                    run,
                    measured=replace(
                        run.measured,
                        bursts=tuple(
                            replace(b, wall_ns=b.wall_ns * 7, cpu_ns=b.cpu_ns * 7) for b in run.measured.bursts
                        ),
                    ),
                )
                for side, run in (("base", one.base), ("head", one.head))
            }
        )
        for one in pairs
    ]
    assert differences(scaled, "time_per_job", Budget()) == pytest.approx(differences(pairs, "time_per_job", Budget()))


@pytest.mark.once  # statistics, whatever the interpreter
def test_unchanged_matrices_raise_no_alarm():
    """A hundred quick matrices of thirty unchanged cells, measured on from look to look as the gate does it."""
    chance = random.Random(7)
    alarms = 0
    for _ in range(100):
        measured = []
        for number in range(30):
            item = PairedSample(cell=cell(name=f"work{number}"))
            for look in QUICK.looks(30):
                more = noisy(look.pairs - len(item.pairs), spread=0.03, seed=chance.random(), where=item.cell)
                item = replace(item, pairs=item.pairs + more)
                if not undecided(item, QUICK, 30):
                    break
            measured.append(item)
        alarms += any(said.verdict == "regressed" for said in judge(measured, QUICK))
    assert alarms <= 4  # one in a hundred is expected at most; five are less probable than 1 in 250


def again(pairs, **changes):
    """Whether more pairs are worth measuring after these; of a matrix of one cell, unless said otherwise."""
    cells = changes.pop("cells", 1)
    return undecided(PairedSample(cell=cell(), pairs=tuple(pairs)), replace(RULES, **changes), cells)


def test_regression_that_is_certain_needs_no_more_pairs_and_one_that_is_not_does():
    assert not again(noisy(24, slower=1.05), cells=30)
    assert again(noisy(8, slower=1.05, spread=0.05), cells=30)


def test_what_is_certain_depends_on_how_many_cells_are_tested():
    eight = noisy(8, slower=1.05)
    assert not again(eight)
    assert again(eight, cells=30_000)
    assert again(eight, alpha=1e-9)


def test_change_below_the_effect_leaves_nothing_open():
    few = noisy(24, slower=1.01, spread=0.001)
    assert not again(few)
    assert again(few[:16], effect=0.005, alpha=1e-9)


def test_noise_around_no_change_leaves_it_open():
    wild = [pair(index=n, head=(100 * (2 if n % 2 else 0.5),) * 8) for n in range(8)]
    assert differences(wild, "time_per_job", Budget()) == pytest.approx([-0.693, 0.693] * 4, abs=1e-3)
    assert again(wild)


def test_any_trap_that_half_of_the_pairs_show_leaves_it_open_however_large_the_effect_asked_for():
    trapped = [pair(index=n, head_stalls=(90,) if n % 2 else ()) for n in range(8)]
    assert again(trapped, effect=0.6)
    assert not again([pair(index=n) for n in range(8)], effect=0.6)


def test_trap_of_one_call_is_certain_after_four_pairs_and_one_by_chance_is_not():
    blocked = [pair(index=n, head_stalls=(60.4 + n / 10,) * 4) for n in range(4)]
    assert not again(blocked, rounds=4, cells=30)
    said = verdict(PairedSample(cell=cell(), pairs=tuple(blocked)), QUICK, others=29)
    assert (said.verdict, said.kind, said.pairs) == ("regressed", "stall", 4)
    assert str(said.culprit) == "/app/user.py:7 in handler"
    by_chance = [pair(index=n, head_stalls=(length,)) for n, length in enumerate((55, 300, 70, 140))]
    assert again(by_chance, rounds=4)
    once = [pair(index=n, head_stalls=(60.4 + n / 10,)) for n in range(4)]
    assert again(once, rounds=4)
    near = [pair(index=n, base_stalls=(49,) * 3, head_stalls=(51,) * 3) for n in range(4)]
    assert again(near, rounds=4)
    assert verdict(PairedSample(cell=cell(), pairs=tuple(near)), QUICK).verdict == "inconclusive"


def test_first_look_counts_where_later_pairs_are_not_worse():
    sure, rest = noisy(24, slower=1.1), noisy(16, slower=1.021, spread=0.001, seed=3)
    assert verdict(PairedSample(cell=cell(), pairs=(*sure, *rest))).verdict == "regressed"


@pytest.mark.parametrize(
    ("kinds", "looks_worse"),
    [
        ({"slower": 1.02}, True),
        ({"slower": 1.005, "spread": 0.0001}, False),
        ({"slower": 1.012, "spread": 0.0001}, True),
        ({"head_stalls": (40, 40), "effect": 0.06}, True),
        ({"base_stalls": (40, 40)}, False),
        ({"base_stalls": (45,), "head_stalls": (90,)}, True),
        ({"base_stalls": (90,), "head_stalls": (90,)}, False),
    ],
)
def test_cell_is_measured_again_where_time_availability_or_a_trap_looks_worse_by_half_the_effect(kinds, looks_worse):
    effect = kinds.pop("effect", 0.02)
    assert again(noisy(8, **kinds), effect=effect, alpha=1e-12) is looks_worse


@pytest.mark.parametrize("cells", [1, 10, 30, 500])
@pytest.mark.parametrize(
    "rules", [RULES, QUICK, Criteria(), Criteria(rounds=20, confirm=3), Criteria(rounds=1, confirm=1)]
)
def test_last_looks_have_pairs_enough_for_the_test_of_ranks(rules, cells):
    looks = rules.looks(cells)
    assert looks[0].pairs == rules.rounds
    assert sum(look.share for look in looks) == pytest.approx(1)
    for before, look in itertools.pairwise(looks):
        assert look.pairs > before.pairs
    for look in looks:
        least = signed_rank_p([1.0 + n for n in range(look.pairs)]) / look.share * cells * len(TESTED)
        assert look.by_ranks is (look.pairs > fewest_pairs(cells * len(TESTED), rules.alpha * look.share))
        assert least < rules.alpha if look.by_ranks else least > rules.alpha / 4
    assert all(look.by_ranks for look in looks[-2:])
