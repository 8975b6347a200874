from dataclasses import replace

from helpers import cell, failed, pair

from loopstall.gate import schedule
from loopstall.gate.criteria import Criteria
from loopstall.records import Pair

CELLS = [cell(name=name) for name in "abcd"]
RULES = Criteria(rounds=8, confirm=16)


def run(measure, *, cells=CELLS, out_of_time=lambda: False, planned=lambda _: None, seed=1):
    calls = []

    def one(where, index):
        calls.append((where.workload.name, index))
        return measure(where, index)

    found = schedule.measure(cells, RULES, seed=seed, pair=one, out_of_time=out_of_time, planned=planned)
    return found, calls


def test_unchanged_cells_are_screened_in_shuffled_rounds_and_left_alone():
    found, calls = run(lambda where, index: pair(where, index=index))
    assert [len(item.screened) for item in found] == [8] * 4
    assert not any(item.confirmed for item in found)
    rounds = [[name for name, _ in calls[n : n + 4]] for n in range(0, 32, 4)]
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1
    assert calls == run(lambda where, index: pair(where, index=index))[1]
    assert calls != run(lambda where, index: pair(where, index=index), seed=2)[1]


def test_what_looks_worse_is_measured_again_under_new_numbers():
    told = []
    found, calls = run(
        lambda where, index: pair(where, index=index, head=(120 if where.workload.name == "b" else 100,) * 4),
        planned=told.append,
    )
    assert {item.cell.workload.name: len(item.confirmed) for item in found} == {"a": 0, "b": 16, "c": 0, "d": 0}
    assert [index for name, index in calls if name == "b"] == list(range(24))
    assert told == [32, 16]


def test_what_stays_open_is_measured_once_more():
    """Three pairs of four say slower, and one says faster by as much: too few to be sure of, too many to pass over."""

    def measure(where, index):
        return pair(where, index=index, head=(90 if index % 4 == 3 else 111,) * 4)

    found, _ = run(measure, cells=CELLS[:1])
    assert len(found[0].confirmed) == 32


def test_cell_that_fails_is_not_tried_again():
    def measure(where, index):
        good = pair(where, index=index)
        return replace(good, head=failed(where, index=index)) if where.workload.name == "c" else good

    found, calls = run(measure)
    assert [index for name, index in calls if name == "c"] == [0]
    assert isinstance(found[2].screened[0], Pair)


def test_time_that_is_over_ends_the_measurement():
    left = iter([False] * 10 + [True] * 100)
    found, calls = run(lambda where, index: pair(where, index=index), out_of_time=lambda: next(left))
    assert len(calls) == 10
    assert sum(len(item.screened) for item in found) == 10
