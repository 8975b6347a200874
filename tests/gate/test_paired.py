from dataclasses import replace
import random

from helpers import cell, failed, pair
import pytest

from loopstall.analysis.summary import Budget
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample, differences
from loopstall.gate.paired import judge, suspicious, undecided
from loopstall.records import Pair

RULES = Criteria(rounds=8, confirm=16)


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


def evidence(*, screened=None, confirmed=(), where=None, **how):
    where = where or cell()
    if screened is None:
        screened = noisy(8, where=where, **how)
        confirmed = noisy(16, seed=2, where=where, **how) if confirmed == () else confirmed
    return PairedSample(cell=where, screened=tuple(screened), confirmed=tuple(confirmed))


def verdict(item, rules=RULES, others=0):
    rest = [evidence(where=cell(name=f"other{n}"), confirmed=None or ()) for n in range(others)]
    return judge([item, *rest], rules)[0]


def quiet(**how):
    """A cell that did not look worse, so that nothing was measured to confirm it."""
    where = how.pop("where", cell())
    return PairedSample(cell=where, screened=noisy(8, where=where, **how))


def test_unchanged_cell_is_ok_and_shows_its_interval():
    said = verdict(quiet())
    assert said.verdict == "ok"
    assert "time per job" in said.rule
    assert "8 pairs" in said.rule
    assert {finding.metric for finding in said.findings} == {"time_per_job", "availability", "cpu_per_job"}


def test_slower_cell_is_regressed_with_ratio_interval_threshold_and_p():
    said = verdict(evidence(slower=1.1), others=29)
    assert said.verdict == "regressed"
    assert (said.kind, said.amount) == ("regression", pytest.approx(0.1, abs=0.02))
    for part in ("rose from", "+10", "[", "threshold of 2.0%", "corrected p = ", "16 pairs"):
        assert part in said.rule


def test_certain_change_below_the_effect_is_ok():
    said = verdict(evidence(slower=1.015, spread=0.001))
    assert said.verdict == "ok"
    assert verdict(evidence(slower=1.015, spread=0.001), replace(RULES, effect=0.01)).verdict == "regressed"


def test_effect_of_a_single_workload_goes_before_the_common_one():
    rules = replace(RULES, effects={"work": 0.2})
    assert verdict(evidence(slower=1.1), rules).verdict == "ok"


def test_what_looked_worse_is_judged_by_the_new_pairs_alone():
    where = cell()
    item = PairedSample(cell=where, screened=noisy(8, slower=1.3), confirmed=noisy(16, seed=3))
    said = verdict(item)
    assert said.verdict == "ok"
    assert "nothing was confirmed" in said.rule


def test_improvement_is_said_when_it_is_sure():
    said = verdict(quiet(slower=0.8))
    assert said.verdict == "improved"
    assert "-20" in said.rule


def test_cell_without_all_its_pairs_is_inconclusive_and_says_what_is_missing():
    said = verdict(PairedSample(cell=cell(), screened=noisy(3)))
    assert said.verdict == "inconclusive"
    assert "3 of 8 pairs" in said.rule
    said = verdict(PairedSample(cell=cell(), screened=noisy(8, slower=1.2), confirmed=noisy(5, slower=1.2)))
    assert said.verdict == "inconclusive"
    assert "5 of 16" in said.rule


def test_machine_too_noisy_to_tell_is_inconclusive():
    assert verdict(quiet(spread=1.5, seed=4)).verdict in {"inconclusive", "ok"}
    wild = tuple(pair(index=n, head=(100 * (2 if n % 2 else 0.6),) * 8) for n in range(8))
    said = verdict(PairedSample(cell=cell(), screened=wild, confirmed=wild * 2))
    assert said.verdict == "inconclusive"
    assert "noisy" in said.rule
    assert undecided(PairedSample(cell=cell(), confirmed=wild), RULES, 1)


def test_cell_too_noisy_to_tell_is_measured_again_and_then_judged():
    one_wild = (pair(index=0, head=(150.0,) * 8), *noisy(3))
    assert suspicious(PairedSample(cell=cell(), screened=one_wild), replace(RULES, rounds=4))
    assert not suspicious(PairedSample(cell=cell(), screened=noisy(4)), replace(RULES, rounds=4))
    said = verdict(PairedSample(cell=cell(), screened=one_wild, confirmed=noisy(16)), replace(RULES, rounds=4))
    assert said.verdict == "ok"
    said = verdict(PairedSample(cell=cell(), screened=one_wild, confirmed=noisy(2)), replace(RULES, rounds=4))
    assert said.verdict == "inconclusive"
    assert "only 2 of 16 pairs were measured to settle it" in said.rule


def test_trap_that_appears_is_regressed_with_its_culprit_and_stack():
    item = evidence(head_stalls=(90,))
    said = verdict(item, others=29)
    assert said.verdict == "regressed"
    assert said.kind == "stall"
    assert "trap that the baseline has not" in said.rule
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
    assert "loop availability fell from 98.8% to 85.0%" in said.rule


def test_budget_of_a_single_workload_goes_before_the_common_one():
    rules = replace(RULES, limited=True, budgets={"work": Budget(stall_ns=200_000_000)})
    assert verdict(evidence(base_stalls=(90,), head_stalls=(90,)), rules).verdict == "ok"


def test_failure_of_either_side_is_its_own_verdict():
    good = pair()
    broken = Pair(base=good.base, head=failed(kind="wrong-result", message="the job of seed 1 returned 2"))
    said = verdict(PairedSample(cell=cell(), screened=(broken,)))
    assert said.verdict == "failed"
    assert said.rule.startswith("the candidate: the job of seed 1")


def test_workload_that_only_the_candidate_can_load_is_added():
    good = pair()
    alone = Pair(base=failed(kind="input", message="cannot load app.py: No module named 'new'"), head=good.head)
    said = verdict(PairedSample(cell=cell(), screened=(alone,)))
    assert said.verdict == "added"
    assert "No module named" in said.rule


def test_cell_that_failed_is_not_measured_again():
    broken = Pair(base=pair().base, head=failed())
    assert not suspicious(PairedSample(cell=cell(), screened=(broken,)), RULES)


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


def test_unchanged_matrices_raise_no_alarm():
    """A hundred matrices of thirty unchanged cells, screened and confirmed as the gate does it."""
    chance = random.Random(7)
    alarms = 0
    for _ in range(100):
        measured = []
        for number in range(30):
            where = cell(name=f"work{number}")
            item = PairedSample(cell=where, screened=noisy(8, spread=0.03, seed=chance.random(), where=where))
            if suspicious(item, RULES):
                confirmed = noisy(16, spread=0.03, seed=chance.random(), where=where)
                item = replace(item, confirmed=confirmed)
            measured.append(item)
        alarms += any(said.verdict == "regressed" for said in judge(measured, RULES))
    assert alarms <= 4  # one in a hundred is expected at most; five are less probable than 1 in 250


def again(pairs, **changes):
    """Whether more pairs are worth measuring after these; of a matrix of one cell, unless said otherwise."""
    cells = changes.pop("cells", 1)
    return undecided(PairedSample(cell=cell(), confirmed=tuple(pairs)), replace(RULES, **changes), cells)


def test_regression_that_is_certain_needs_no_more_pairs_and_one_that_is_not_does():
    assert not again(noisy(16, slower=1.1), cells=30)
    assert again(noisy(8, slower=1.1), cells=30)


def test_what_is_certain_depends_on_how_many_cells_are_tested():
    ten = noisy(10, slower=1.1)  # the least p is 2 looks * 3 metrics / 2 ** 10 for one cell, 0.0059
    assert not again(ten)
    assert again(ten, cells=2)
    assert again(ten, alpha=6 / 2**10)
    assert not again(ten, alpha=6 / 2**10 + 1e-9)


def test_change_below_the_effect_leaves_nothing_open():
    few = noisy(6, slower=1.01, spread=0.001)
    assert not again(few)
    assert again(few, effect=0.005)


def test_noise_around_no_change_leaves_it_open():
    wild = [pair(index=n, head=(100 * (2 if n % 2 else 0.5),) * 8) for n in range(8)]
    assert differences(wild, "time_per_job", Budget()) == pytest.approx([-0.693, 0.693] * 4, abs=1e-3)
    assert again(wild)


def test_any_trap_that_half_of_the_pairs_show_leaves_it_open_however_large_the_effect_asked_for():
    trapped = [pair(index=n, head_stalls=(90,) if n % 2 else ()) for n in range(8)]
    assert again(trapped, effect=0.6)
    assert not again([pair(index=n) for n in range(8)], effect=0.6)


def test_cell_of_which_nothing_was_confirmed_leaves_nothing_open():
    assert not again(())


def test_first_look_counts_where_later_pairs_are_not_worse():
    sure, rest = noisy(16, slower=1.1), noisy(16, slower=1.021, spread=0.001, seed=3)
    item = PairedSample(cell=cell(), screened=noisy(8, slower=1.1), confirmed=(*sure, *rest))
    assert verdict(item).verdict == "regressed"


@pytest.mark.parametrize(
    ("kinds", "looks_worse"),
    [
        ({"slower": 1.02}, True),
        ({"slower": 1.005, "spread": 0.0001}, False),
        ({"slower": 1.012, "spread": 0.0001}, True),
        ({"head_stalls": (40, 40)}, True),
        ({"base_stalls": (40, 40)}, False),
        ({"head_stalls": (90,)}, True),
        ({"base_stalls": (90,), "head_stalls": (90,)}, False),
    ],
)
def test_cell_is_measured_again_where_time_availability_or_a_trap_looks_worse_by_half_the_effect(kinds, looks_worse):
    assert suspicious(PairedSample(cell=cell(), screened=noisy(8, **kinds)), RULES) is looks_worse
