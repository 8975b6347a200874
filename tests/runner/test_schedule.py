import itertools

from helpers import cell, failed, plan, run

from loopstall.runner import schedule

CELLS = tuple(cell(name) for name in "abcde")


def test_each_round_holds_every_cell_once_in_an_order_of_its_own():
    slots = schedule.order(plan(*CELLS, processes=4))
    rounds = [slots[n : n + 5] for n in range(0, 20, 5)]
    assert all({c for c, _ in one} == set(CELLS) for one in rounds)
    assert len({tuple(c for c, _ in one) for one in rounds}) > 1


def test_no_cell_runs_twice_in_a_row():
    for seed in range(50):
        slots = schedule.order(plan(*CELLS[:2], processes=6, seed=seed))
        assert all(a[0] != b[0] for a, b in itertools.pairwise(slots))


def test_order_follows_from_the_seed():
    assert schedule.order(plan(*CELLS, seed=3)) == schedule.order(plan(*CELLS, seed=3))
    assert schedule.order(plan(*CELLS, seed=3)) != schedule.order(plan(*CELLS, seed=4))


def test_all_cells_of_a_round_get_the_same_jobs():
    made = plan(*CELLS)
    assert schedule.run_seed(made, 0) != schedule.run_seed(made, 1)


def test_what_is_missing_or_failed_remains():
    made = plan(*CELLS[:2], processes=2)
    done = [run(CELLS[0], index=0), failed(CELLS[1], index=0)]
    assert {(CELLS[0], 1), (CELLS[1], 0), (CELLS[1], 1)} == set(schedule.remaining(made, done))


def test_every_run_is_saved_before_it_is_handed_on():
    made, saved = plan(*CELLS[:2], processes=1), []
    for result in schedule.execute(made, schedule.order(made), run=lambda c, i, s: run(c, index=i), save=saved.append):
        assert saved[-1] is result
    assert len(saved) == 2


def test_cell_that_failed_is_not_tried_again_and_the_others_go_on():
    made, tried = plan(*CELLS[:2], processes=3), []

    def measure(where, index, _seed):
        tried.append(where)
        return failed(where, index=index, kind="timeout") if where == CELLS[0] else run(where, index=index)

    results = list(schedule.execute(made, schedule.order(made), run=measure, save=lambda r: None))
    assert tried.count(CELLS[0]) == 1
    assert tried.count(CELLS[1]) == 3
    assert sorted(r.error.kind for r in results if r.error) == ["not-tried", "not-tried", "timeout"]
