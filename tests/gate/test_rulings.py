"""What each rule of the paired gate says, word for word."""

from dataclasses import replace

from helpers import cell, failed, pair
from paired_samples import alike, joined, untimed
import pytest

from loopstall.analysis.summary import Budget
from loopstall.gate.certainty import p_value
from loopstall.gate.criteria import TRAP, Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import judge
from loopstall.records import Pair
from loopstall.stats.paired import holm

RULES = Criteria(rounds=8, confirm=16)
FROM = "from 10.0 ms"


def said(item, rules=RULES):
    (verdict,) = judge([item], rules)
    return verdict


def test_verdict_says_of_what_it_is_and_by_how_many_pairs():
    where = cell(name="own", loop="uvloop", params=(("n", 4),))
    verdict = said(alike(where=where))
    assert (verdict.row, verdict.strategy, verdict.workload) == (where.row, "uvloop/inline", where.workload)
    assert (verdict.verdict, verdict.kind, verdict.amount, verdict.pairs) == ("ok", "", 0.0, 8)
    assert (verdict.culprit, verdict.stack) == (None, ())
    assert [item.metric for item in verdict.findings] == ["time_per_job", "availability", "cpu_per_job"]
    assert {item.effect for item in verdict.findings} == {RULES.effect}
    assert [item.p for item in verdict.findings] == [1.0, 1.0, None]


def test_unchanged_cell_says_whether_it_was_measured_again():
    unchanged = f"time per job +0.0% [+0.0%, +0.0%] {FROM} over"
    again = "measured again, because it looked worse or was too noisy, and nothing was confirmed: "
    assert said(alike()).rule == f"{unchanged} 8 pairs"
    assert said(alike(count=9)).rule == f"{again}{unchanged} 9 pairs"


def test_slower_cell_blames_no_line_and_says_by_how_much():
    verdict = said(alike(110.0))
    (time, *_) = verdict.findings
    assert verdict.rule == (
        f"time per job +10.0% [+10.0%, +10.0%] {FROM}, over the threshold of 2.0%;"
        f" corrected p = {time.p:.1g} < 0.01 over 8 pairs"
    )
    assert (verdict.verdict, verdict.kind, verdict.culprit, verdict.stack) == ("regressed", "regression", None, ())
    assert verdict.amount == pytest.approx(0.1)
    stalled = said(alike(110.0, head_stalls=(10,)), replace(RULES, effects={"work": 0.05}))
    assert (stalled.kind, stalled.culprit, stalled.stack) == ("regression", None, ())


def test_regression_is_one_over_the_effect_and_under_alpha():
    certain = said(alike(110.0, 40))
    assert certain.verdict == "regressed"
    change = certain.findings[0].change.value
    assert said(alike(110.0, 40), replace(RULES, effect=change)).verdict == "ok"
    assert said(alike(110.0, 40), replace(RULES, effect=change - 1e-6)).verdict == "regressed"
    assert said(alike(110.0, 40), replace(RULES, effects={"work": 0.2})).verdict == "ok"


def test_p_of_exactly_alpha_confirms_nothing():
    def at(alpha):
        return replace(RULES, effect=0.05, alpha=alpha, confirm=200)

    slow = said(alike(110.0), at(1e-4)).findings[0].p
    assert said(alike(110.0), at(slow)).verdict == "inconclusive"
    assert said(alike(110.0), at(1.01 * slow)).verdict == "regressed"
    grown = tuple(pair(index=index, base_stalls=(6,), head_stalls=(60 + index,) * 2) for index in range(8))
    trapped = PairedSample(cell=cell(), pairs=grown)

    def lenient(alpha):
        return replace(at(alpha), effect=0.99)

    trap = 3 * p_value(trapped, TRAP, lenient(1e-6), lenient(1e-6).looks(1))
    assert said(trapped, lenient(trap)).verdict == "inconclusive"
    assert said(trapped, lenient(1.01 * trap)).verdict == "regressed"


def test_less_available_loop_is_told_in_points_with_its_longest_stall():
    verdict = said(alike(base_stalls=(10,), head_stalls=(40, 40, 40)))
    available = verdict.findings[1]
    assert verdict.rule == (
        "loop availability -27.5 pp [-27.5 pp, -27.5 pp] from 97.5%, over the threshold of 2.0 pp;"
        f" corrected p = {available.p:.1g} < 0.01 over 8 pairs"
    )
    assert (verdict.verdict, verdict.kind, verdict.amount) == ("regressed", "stall", 40e6)
    assert str(verdict.culprit) == "/app/user.py:7 in handler"
    assert verdict.stack == (verdict.culprit,)


def test_trap_says_which_budgets_it_breaks_and_how_often():
    verdict = said(alike(head_stalls=(90,) * 4))
    assert verdict.rule == (
        "a trap that the baseline does not have: a stall of 90.0 ms is over 50.0 ms and loop availability of 10% is under 50%"
        " in 8 of 8 runs"
    )
    assert (verdict.verdict, verdict.kind, verdict.amount) == ("regressed", "stall", 90e6)
    asked = said(alike(base_stalls=(90,), head_stalls=(90,)), replace(RULES, limited=True))
    assert asked.rule == "over its budget: a stall of 90.0 ms is over 50.0 ms in 8 of 8 runs"
    assert (asked.verdict, asked.kind, asked.amount) == ("regressed", "stall", 90e6)
    assert str(asked.culprit) == "/app/user.py:7 in handler"
    assert said(alike(), replace(RULES, limited=True)).verdict == "ok"


def test_amount_of_a_trap_is_the_median_over_its_runs():
    lengths = (60, 60, 90, 90, 90, 300, 300, 300)
    pairs = tuple(pair(index=index, head_stalls=(length,) * 4) for index, length in enumerate(lengths))
    assert said(PairedSample(cell=cell(), pairs=pairs)).amount == 90e6


def test_few_pairs_of_a_trap_that_may_be_chance_do_not_decide():
    once = said(joined(alike(head_stalls=(90,) * 4, count=5), alike(count=3)))
    assert (once.verdict, once.rule) == (
        "inconclusive",
        "it looks worse, and only 8 of 16 pairs were measured to settle it",
    )


def test_what_was_not_measured_to_the_end_says_what_is_missing():
    assert said(alike(count=3)).rule == "3 of 8 pairs were measured in the available time"
    assert said(alike(count=3)).verdict == "inconclusive"
    small = said(alike(101.5))
    assert (small.verdict, small.rule) == (
        "inconclusive",
        "it looks worse, and only 8 of 16 pairs were measured to settle it",
    )
    wild = PairedSample(cell=cell(), pairs=tuple(pair(index=n, head=((50, 200)[n % 2],) * 4) for n in range(8)))
    assert said(wild).rule == "it is too noisy to tell, and only 8 of 16 pairs were measured to settle it"


def test_noise_that_is_left_after_all_pairs_is_told_with_the_change():
    wild = tuple(pair(index=index, head=(100 * 2.0 ** (index % 8 - 3.5),) * 4) for index in range(40))
    verdict = said(PairedSample(cell=cell(), pairs=wild))
    assert verdict.verdict == "inconclusive"
    assert verdict.rule == f"the machine was too noisy to tell: time per job +0.0% [-50.0%, +100.0%] {FROM}"


def test_cell_without_a_timed_job_is_inconclusive_and_still_judged_by_its_availability():
    verdict = said(untimed(alike()))
    assert (verdict.verdict, verdict.rule) == ("inconclusive", "no job of it could be timed")
    assert [item.metric for item in verdict.findings] == ["availability"]
    stalled = said(untimed(alike(base_stalls=(10,), head_stalls=(40, 40, 40))))
    assert (stalled.verdict, stalled.kind) == ("regressed", "stall")


def test_improvement_says_how_sure_it_is():
    verdict = said(alike(80.0))
    assert (verdict.verdict, verdict.kind, verdict.amount) == ("improved", "", 0.0)
    assert verdict.rule == (
        f"time per job -20.0% [-20.0%, -20.0%] {FROM} over 8 pairs, better by more than 2.0% with 99% confidence"
    )


def test_failure_is_the_first_of_any_side():
    good = pair()
    verdict = said(PairedSample(cell=cell(), pairs=(good, Pair(base=failed(message="no"), head=good.head))))
    assert (verdict.verdict, verdict.rule, verdict.kind) == ("failed", "the baseline: no", "")


def test_p_values_of_a_matrix_are_corrected_for_all_of_its_cells():
    cells = [alike(110.0, where=cell(name="slow")), *(alike(where=cell(name=f"w{n}")) for n in range(9))]
    alone, among = said(cells[0]), judge(cells, RULES)
    assert [item.row for item in among] == [item.cell.row for item in cells]
    assert [item.verdict for item in among] == ["regressed", *["ok"] * 9]
    assert among[0].findings[0].p > alone.findings[0].p
    assert holm([alone.findings[0].p / 3, *[1.0] * 29])[0] == pytest.approx(10 * alone.findings[0].p)


def test_budget_of_a_workload_decides_what_its_trap_is():
    rules = replace(RULES, budgets={"work": Budget(stall_ns=200_000_000, availability=0.0)})
    verdict = said(alike(head_stalls=(90,)), replace(rules, effect=0.5))
    assert (verdict.verdict, verdict.kind) == ("ok", "")
