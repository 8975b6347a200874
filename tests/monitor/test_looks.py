"""How looks from outside divide the time of a stall, by looks made by hand."""

from dataclasses import replace
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor.looks import holder_of, weights_of, with_shares
from loopstall.monitor.samples import Sample
from loopstall.monitor.syscalls import GIL, READY, RUNNING
from loopstall.records import Evidence


class Code(NamedTuple):
    co_filename: str
    co_qualname: str


def stack_of(*functions):
    return tuple((Code("/home/someone/app.py", name), 7) for name in functions)


def look(at, state=RUNNING, *, holder_id=0, holder=(), within=(), **rest):
    """A look at a time; stacks are told by the names of their functions, innermost first."""
    return Sample(
        at_ns=at, asked_ns=at, by_signal=False, stack=stack_of(*within), syscall=state,
        holder_id=holder_id, holder=stack_of(*holder), **rest,
    )  # fmt: skip


TIMES = st.lists(st.integers(0, 10**6), max_size=64).map(sorted)
SPAN = Evidence(duration_ns=100, threshold_ns=5, window_ns=100, own_cpu_ns=0, other_cpu_ns=0)


def shares(*looks_and_weights):
    looks, weights = zip(*looks_and_weights, strict=True) if looks_and_weights else ((), ())
    told = with_shares(SPAN, looks, weights)
    assert told.outside
    return told.python_ns, told.native_ns, told.gil_ns, told.waiting_ns


@pytest.mark.parametrize(
    ("at", "weights"),
    [
        ([], []),
        ([0], [100]),
        ([50], [100]),
        ([100], [100]),
        ([20, 60], [40, 60]),
        ([10, 20, 90], [15, 40, 45]),
        ([-30, 50], [25, 75]),  # one before the span stands at its beginning
        ([50, 130], [75, 25]),  # one after it at its end
    ],
)
def test_look_stands_for_the_time_up_to_half_the_way_to_its_neighbours(at, weights):
    assert weights_of([look(one) for one in at], 0, 100) == weights


def test_span_begins_where_it_does():
    assert weights_of([look(1010), look(1030)], 1000, 1100) == [20, 80]


def test_two_looks_at_one_moment_both_count():
    assert weights_of([look(50), look(50)], 0, 100) == [50, 50]
    assert weights_of([look(0), look(0), look(0)], 0, 100) == [1, 1, 100]


@given(TIMES, st.integers(0, 10**6), st.integers(1, 10**6))
def test_weights_are_one_a_look_and_together_the_span(at, start, length):
    weights = weights_of([look(one) for one in at], start, start + length)
    assert len(weights) == len(at)
    assert all(weight >= 1 for weight in weights)
    if weights:
        too_small = len(weights)  # each counts at least 1 ns
        assert length <= sum(weights) <= length + too_small


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=32).map(sorted), st.integers(0, 10**6))
def test_later_look_takes_time_from_the_last_one_alone(at, later):
    before = weights_of([look(one) for one in at], 0, 2 * 10**6)
    after = weights_of([look(one) for one in (*at, 10**6 + later)], 0, 2 * 10**6)
    assert after[:-2] == before[:-1]
    assert after[-2] <= before[-1]


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        (look(0, RUNNING, stepped=True), (7, 0, 0, 0)),
        (look(0, RUNNING), (0, 7, 0, 0)),
        (look(0, GIL, holder_id=3), (0, 0, 7, 0)),
        (look(0, GIL), (0, 0, 0, 0)),  # nobody held it: it may only have been about to get it
        (look(0, "fsync"), (0, 0, 0, 7)),
        (look(0, "futex"), (0, 0, 0, 7)),
        (look(0, READY), (0, 0, 0, 0)),  # it lacked a CPU, which the system counts itself
        (look(0, ""), (0, 0, 0, 0)),
    ],
)
def test_time_is_what_the_thread_did_with_it(looked, expected):
    assert shares((looked, 7)) == expected


def test_times_add_up_by_what_was_done():
    assert shares(
        (look(0, RUNNING, stepped=True), 1),
        (look(1, RUNNING, within=("native",)), 10),
        (look(2, "read"), 100),
        (look(3, RUNNING, stepped=True), 1000),
        (look(4, "fsync"), 10000),
        (look(5, GIL, holder_id=1), 100000),
    ) == (1001, 10, 100000, 10100)
    assert shares() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("steps", "python"),
    [
        ("s", 1),
        (".", 0),
        ("s...", 1),  # a long call of C code begins there
        ("s..s", 4),
        ("s..s....", 8),
        ("s..s.....", 2),  # between two long ones
    ],
)
def test_looks_within_short_calls_count_as_the_python_code_that_makes_them(steps, python):
    looks = [(look(at, within=("hashes", "main"), stepped=one == "s"), 1) for at, one in enumerate(steps)]
    assert shares(*looks) == (python, len(steps) - python, 0, 0)
    other = (look(99, within=("sorts", "main")), 7)
    assert shares(*looks, other) == (python, len(steps) - python + 7, 0, 0)


def test_number_of_looks_and_of_their_weights_is_the_same():
    with pytest.raises(ValueError, match="zip"):
        with_shares(SPAN, [look(0)], [])


def test_holder_is_who_held_the_gil_for_most_of_the_time_not_most_often():
    looks = [
        look(0, GIL, holder_id=1, holder=("often",)),
        look(1, GIL, holder_id=1, holder=("often",)),
        look(2, GIL, holder_id=2, holder=("long",)),
    ]
    assert holder_of(looks, [1, 1, 3])[0].function == "long"
    assert holder_of(looks, [1, 1, 1])[0].function == "often"


def test_line_is_the_one_of_most_of_the_holders_time():
    looks = [
        look(0, GIL, holder_id=1, holder=("once",)),
        look(1, GIL, holder_id=1, holder=("mostly",)),
        look(2, GIL, holder_id=2, holder=("other",)),
    ]
    assert holder_of(looks, [2, 3, 4])[0].function == "mostly"


def test_nobody_held_the_gil_where_the_thread_did_not_wait_for_it():
    looks = [
        look(0, RUNNING, holder_id=1, holder=("runs",)),
        look(1, GIL, holder=("unknown",)),
        look(2, GIL, holder_id=1),
    ]
    assert holder_of(looks, [1, 1, 1]) == (None, "")
    assert holder_of([], []) == (None, "")


def test_holder_has_the_name_that_any_of_the_looks_at_it_knows():
    looks = [look(0, GIL, holder_id=1, holder=("guilty",)), look(1, GIL, holder_id=2, holder=("other",))]
    named = replace(looks[0], holder_name="the hog"), replace(looks[1], holder_name="another")
    assert holder_of([*looks, *named], [9, 1, 9, 1])[1] == "the hog"
    assert holder_of(looks, [9, 1])[1] == ""
