from dataclasses import replace

from helpers import cell, failed, pair

from loopstall.gate import schedule
from loopstall.gate.criteria import Criteria
from loopstall.records import Pair

CELLS = [cell(name=name) for name in "abcd"]
RULES = Criteria(rounds=8, confirm=16)


def run(measure, *, cells=CELLS, out_of_time=lambda _: False, planned=lambda _: None, seed=1):
    calls = []

    def one(where, index):
        calls.append((where.workload.name, index))
        return measure(where, index)

    found = schedule.measure(cells, RULES, seed=seed, pair=one, out_of_time=out_of_time, planned=planned)
    return found, calls


def test_unchanged_cells_are_screened_in_shuffled_rounds_and_left_alone():
    found, calls = run(lambda where, index: pair(where, index=index))
    assert [len(item.pairs) for item in found] == [8] * 4
    rounds = [[name for name, _ in calls[n : n + 4]] for n in range(0, 32, 4)]
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1
    assert calls == run(lambda where, index: pair(where, index=index))[1]
    assert calls != run(lambda where, index: pair(where, index=index), seed=2)[1]


def test_what_looks_worse_is_measured_on_until_it_is_certain():
    told = []

    def measure(where, index):
        worse = where.workload.name == "b"
        return pair(where, index=index, head=(104 + 8 * (index % 3 - 1) if worse else 100,) * 4)

    found, calls = run(measure, planned=told.append)
    assert {item.cell.workload.name: len(item.pairs) for item in found} == {"a": 8, "b": 40, "c": 8, "d": 8}
    assert [index for name, index in calls if name == "b"] == list(range(40))
    assert told == [32, 8, 8, 16]


def test_what_looks_worst_is_measured_on_first_until_it_is_decided():
    heads = {"a": (99, 106, 103, 100), "b": (100, 100, 100, 100), "c": (101, 109, 104, 108), "d": (102, 103, 98, 108)}
    _, calls = run(lambda where, index: pair(where, index=index, head=(heads[where.workload.name][index % 4],) * 4))
    order = [name for name, index in calls if index >= 8]
    assert order == sorted(order, key=["c", "d", "a"].index)
    assert set(order) == {"a", "c", "d"}


def test_large_change_is_certain_after_the_screening():
    found, _ = run(lambda where, index: pair(where, index=index, head=(120 + index / 10,) * 4))
    assert [len(item.pairs) for item in found] == [8] * 4


def test_cell_that_fails_is_not_tried_again():
    def measure(where, index):
        good = pair(where, index=index)
        return replace(good, head=failed(where, index=index)) if where.workload.name == "c" else good

    found, calls = run(measure)
    assert [index for name, index in calls if name == "c"] == [0]
    assert isinstance(found[2].pairs[0], Pair)


def test_time_that_is_over_ends_the_measurement():
    left = iter([False] * 10 + [True] * 100)
    found, calls = run(lambda where, index: pair(where, index=index), out_of_time=lambda _: next(left))
    assert len(calls) == 10
    assert sum(len(item.pairs) for item in found) == 10


def test_cell_whose_pair_does_not_fit_into_the_time_left_is_passed_over():
    found, _ = run(lambda where, index: pair(where, index=index), out_of_time=lambda cell: cell.workload.name == "b")
    assert [len(item.pairs) for item in found] == [8, 0, 8, 8]
