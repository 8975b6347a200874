from helpers import MS, cell, failed, measured, run

from loopstall.analysis.summary import Budget, breach, samples, summarise
from loopstall.records import Frame

BUDGET = Budget(stall_ns=50 * MS, availability=0.5)


def sample(*stalls_ms):
    return [run(index=n, figures=measured(stalls_ms=stalls)) for n, stalls in enumerate(stalls_ms)]


def test_run_within_the_budget_breaks_nothing():
    assert breach(measured(stalls_ms=[50]), BUDGET) == ""


def test_long_stall_breaks_the_budget_and_both_values_are_said():
    assert breach(measured(stalls_ms=[50.1], wall_ms=1000), BUDGET) == "a stall of 50.1 ms is over 50.0 ms"


def test_many_short_stalls_break_the_budget_of_availability():
    assert breach(measured(stalls_ms=[10] * 6), BUDGET) == "loop availability of 40% is under 50%"


def test_availability_of_a_run_too_short_for_it_is_not_judged():
    assert breach(measured(stalls_ms=[10] * 6, wall_ms=99), BUDGET) == ""


def test_cell_is_a_trap_when_more_than_half_of_its_runs_break_the_budget():
    assert summarise(cell(), sample([60], [60], []), BUDGET).trap
    assert summarise(cell(), sample([60], [60]), BUDGET).trap
    assert summarise(cell(), sample([60]), BUDGET).trap


def test_one_disturbed_run_makes_no_trap():
    assert not summarise(cell(), sample([60], [], []), BUDGET).trap
    assert not summarise(cell(), sample([60], []), BUDGET).trap


def test_failed_run_is_its_own_verdict_and_no_trap():
    summary = summarise(cell(), [failed(kind="timeout")], BUDGET)
    assert (summary.trap, summary.runs, summary.error.kind) == (False, 0, "timeout")


def test_culprit_is_where_most_stalled_time_goes():
    first, second = (Frame(file="/app/a.py", line=line, function="f") for line in (1, 2))
    runs = [
        run(figures=measured(stalls_ms=[60], frame=first)),
        run(index=1, figures=measured(stalls_ms=[20, 20, 30], frame=second)),
    ]
    assert summarise(cell(), runs, BUDGET).culprit == second


def test_runs_are_gathered_by_cell():
    a, b = cell("a"), cell("b")
    assert {a: 2, b: 1} == {where: len(runs) for where, runs in samples([run(a), run(b), run(a, index=1)]).items()}
