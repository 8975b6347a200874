"""The decision table: colours by the budget, marks, rows and commands."""

from helpers import cell, measured, run
import pytest

from loopstall.analysis.summary import Budget, Budgets, samples, summarise
from loopstall.records import Skipped
from loopstall.report.page.decision import FIGURES, decision_table

BUDGETS = Budgets(own={"strict": Budget(stall_ns=10_000_000, availability=0.95)})
OVER = 4  # the first shade that is neither green nor yellow


def table_of(*runs, skipped=(), **extra):
    summaries = [summarise(where, group, BUDGETS.of(where)) for where, group in samples(runs).items()]
    return decision_table(summaries, skipped, BUDGETS, **extra)


def shades(entry):
    return {figure.name: figure.shade for figure in entry.figures}


def test_cell_over_its_budget_is_green_in_no_figure():
    trap = run(cell(), figures=measured(jobs=1000, stalls_ms=[60], wall_ms=1000.0, cpu_ms=1))
    fine = run(cell(dispatch="threads"), figures=measured(jobs=10, wall_ms=1000.0, cpu_ms=900))
    (row,) = table_of(trap, fine).rows
    bad, good = row.entries
    assert set(shades(bad)) == set(FIGURES)
    assert min(shades(bad).values()) >= OVER
    assert max(shades(good).values()) < OVER  # only a budget makes it orange
    assert not any(figure.best for figure in bad.figures)


@pytest.mark.parametrize("figures", [{"cpu_ms": 0}, {"jobs": 10**6}])
def test_trap_may_be_better_than_any_choice_in_another_figure(figures):
    trap = run(cell(), figures=measured(stalls_ms=[60], wall_ms=1000.0, **figures))
    fine = run(cell(dispatch="threads"), figures=measured(wall_ms=1000.0, cpu_ms=900))
    (row,) = table_of(trap, fine).rows
    assert all(shade >= OVER for shade in shades(row.entries[0]).values())


@pytest.mark.parametrize(("lag_ms", "shade"), [(0.5, 0), (5, 1), (49, 3), (51, 4), (120, 5), (900, 6)])
def test_shade_of_a_lag_is_its_share_of_the_budget(lag_ms, shade):
    (row,) = table_of(run(figures=measured(lag_ms=lag_ms, wall_ms=1000.0))).rows
    assert shades(row.entries[0])["lag_p99"] == shade


def test_budget_of_the_workload_itself_is_what_counts():
    loose, strict = table_of(
        *(run(cell(name), figures=measured(stalls_ms=[12], wall_ms=1000.0)) for name in ("loose", "strict"))
    ).rows
    assert shades(loose.entries[0])["longest_stall"] < OVER <= shades(strict.entries[0])["longest_stall"]
    assert loose.entries[0].marks == ()
    assert strict.entries[0].marks == ("stall",)


def test_mark_says_which_budgets_are_broken():
    (row,) = table_of(
        run(cell(), figures=measured(stalls_ms=[30] * 20, wall_ms=1000.0)),
        run(cell(dispatch="threads"), figures=measured(stalls_ms=[60] * 10, wall_ms=1000.0)),
        run(cell(dispatch="processes"), figures=measured(stalls_ms=[60], wall_ms=1000.0)),
    ).rows
    assert [entry.marks for entry in row.entries] == [
        ("availability",), ("stall", "availability"), ("stall",),
    ]  # fmt: skip


def test_figure_that_decides_comes_first():
    assert FIGURES[0] == "lag_p99"


def test_row_has_the_command_that_measures_it_again():
    where = [
        cell("w", dispatch=name, params=(("size", 3),), path="/x/workloads/w.py") for name in ("inline", "threads")
    ]
    (row,) = table_of(*map(run, where)).rows
    assert row.command == "loopstall run w -p size=3 -s asyncio/inline -s asyncio/threads"


def test_cell_that_a_finding_recommends_says_so():
    where = cell(dispatch="threads")
    (row,) = table_of(run(cell()), run(where), recommended={where: 2}).rows
    assert [entry.finding for entry in row.entries] == [0, 2]


def test_loops_get_rows_of_their_own_where_columns_would_not_fit():
    dispatches = ("inline", "async", "to_thread", "threads", "processes")
    few = table_of(*(run(cell(loop=loop, dispatch=name)) for loop in ("asyncio", "uvloop") for name in dispatches))
    assert (len(few.columns), len(few.rows)) == (10, 1)
    cells = [cell(loop=loop, dispatch=name) for loop in ("asyncio", "uvloop", "trio") for name in dispatches]
    left_out = Skipped(cell=cells[-1], reason="not here")
    many = table_of(*map(run, cells[:-1]), skipped=[left_out])
    assert [name for _, name in many.columns] == ["inline", "async", "to_thread", "threads", "processes"]
    assert [row.label for row in many.rows] == [("work", loop) for loop in ("asyncio", "uvloop", "trio")]
    assert many.rows[-1].entries[-1].reason == "not here"
    assert few.loops == (("asyncio", 5), ("uvloop", 5))
