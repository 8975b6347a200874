"""Change points of series whose truth is known."""

from itertools import combinations, pairwise
import math
import random
import statistics
import sys
import sysconfig

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.stats.changes import MIN_SPAN, change_points, level_starts

PENALTIES = st.floats(0.1, 30)


def cost(signal, starts, penalty):
    return sum(
        penalty + (end - begin) * statistics.pvariance(signal[begin:end])
        for begin, end in pairwise([*starts, len(signal)])
    )


def divisions(length):
    """Every way to divide so many values into levels that are long enough."""
    for count in range(length // MIN_SPAN):
        for inner in combinations(range(MIN_SPAN, length), count):
            if all(end - begin >= MIN_SPAN for begin, end in pairwise([0, *inner, length])):
                yield [0, *inner]


def series(*levels, each=12, spread=0.02, seed=1):
    chance = random.Random(seed)
    return [level * chance.gauss(1, spread) for level in levels for _ in range(each)]


def test_new_level_is_found_where_it_begins_with_what_was_before_and_after():
    (change,) = change_points(series(100, 115))
    assert change.at == 12
    assert change.before == pytest.approx(100, rel=0.03)
    assert change.after == pytest.approx(115, rel=0.03)


def test_several_levels_are_found_in_both_directions():
    assert [change.at for change in change_points(series(100, 130, 90))] == [12, 24]


def test_steady_noise_has_hardly_ever_a_change():
    found = sum(bool(change_points(series(100, each=60, spread=0.05, seed=seed))) for seed in range(200))
    assert found <= 6


def test_one_value_off_is_no_change():
    values = series(100)
    values[6] *= 3
    assert change_points(values) == ()


def test_too_few_values_and_values_that_are_all_the_same_have_none():
    assert change_points([]) == ()
    assert change_points([1.0] * (MIN_SPAN - 1) + [9.0] * MIN_SPAN) == ()
    assert change_points([0.0] * 20) == ()
    assert change_points([5.0] * 20) == ()


def test_steady_values_that_shift_by_little_are_no_change():
    assert change_points([100.0] * 10 + [101.0] * 10) == ()
    assert [change.at for change in change_points([100.0] * 10 + [105.0] * 10)] == [10]


def test_share_that_falls_from_nothing_lost_is_found():
    assert [change.at for change in change_points([0.0] * 10 + [4.0] * 10)] == [10]


@given(exponent=st.integers(-20, 20), seed=st.integers(0, 10_000))
def test_unit_does_not_matter(exponent, seed):
    factor = 2.0**exponent  # exact: rounding moves no place
    values = series(100, 120, spread=0.03, seed=seed)
    places = [change.at for change in change_points(values)]
    assert [change.at for change in change_points([value * factor for value in values])] == places


@given(seed=st.integers(0, 10_000))
def test_large_change_is_found_from_either_end(seed):
    values = series(100, 140, spread=0.01, seed=seed)
    for given_in_order in (values, values[::-1]):
        assert 12 in [change.at for change in change_points(given_in_order)]


@given(st.lists(st.integers(-30, 30), min_size=MIN_SPAN, max_size=13), PENALTIES)
def test_no_division_into_levels_costs_less(signal, penalty):
    found = level_starts(signal, penalty=penalty)
    assert found in list(divisions(len(signal)))
    best = min(cost(signal, starts, penalty) for starts in divisions(len(signal)))
    assert cost(signal, found, penalty) == pytest.approx(best, abs=1e-6)


@pytest.mark.skipif(
    sys.version_info >= (3, 14) or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="ruptures cannot be installed on Python 3.14 and newer, and switches a GIL on",
)
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_levels_are_those_that_ruptures_finds_or_cost_less(spread):
    import numpy as np
    import ruptures

    for seed in range(20):
        chance = random.Random(seed)
        lengths = [chance.randint(MIN_SPAN, 15) for _ in range(5)]
        signal = [chance.gauss(level % 2 * 6, spread) for level, length in enumerate(lengths) for _ in range(length)]
        search = ruptures.Pelt(model="l2", min_size=MIN_SPAN, jump=1).fit(np.asarray(signal).reshape(-1, 1))
        theirs = [0, *search.predict(pen=10)[:-1]]
        found = level_starts(signal, penalty=10)
        assert found == theirs or cost(signal, found, 10) < cost(signal, theirs, 10)


def test_rounding_of_large_values_hides_no_change():
    signal = [1e6 + value for value in (0, 1, 0, 1, 30, 31, 30, 31)]
    assert level_starts(signal, penalty=10) == [0, 4]


def test_levels_of_a_long_series_are_found_in_their_places():
    lengths = (40, 3, 100, 57)
    signal = [level % 2 * 9.0 for level, length in enumerate(lengths) for _ in range(length)]
    assert level_starts(signal, penalty=4 * math.log(len(signal))) == [0, 40, 43, 143]


def places(values):
    return [change.at for change in change_points(values)]


def test_two_levels_of_the_shortest_length_are_a_series():
    values = [100.0] * MIN_SPAN + [150.0] * MIN_SPAN
    (change,) = change_points(values)
    assert (change.at, change.before, change.after) == (MIN_SPAN, 100.0, 150.0)
    assert change_points(values[1:]) == ()
    assert change_points([]) == ()


def test_values_below_one_change_by_their_ratio_too():
    assert places([0.001] * 10 + [0.0012] * 10) == places([1000.0] * 10 + [1200.0] * 10) == [10]


def test_series_with_a_zero_changes_by_shares_of_its_greatest_value():
    assert places([0.0, 1000.0, 1000.0, 1000.0] + [1000.0] * 6 + [500.0] * 10) == [10]
    assert places([0.0] * 10 + [0.001] * 10) == [10]
    assert places([0.0, 0.1, 0.0, 0.2, 0.1, 0.1] * 2 + [100.0] * 10) == [12]


def test_change_of_exactly_the_least_share_is_none():
    assert places([100.0] * 20 + [98.0] * 20) == []
    assert places([100.0] * 20 + [97.9] * 20) == [20]


def test_second_change_is_from_the_level_before_it_alone():
    _, second = change_points(series(100, 130, 90))
    assert (second.before, second.after) == (pytest.approx(130, rel=0.03), pytest.approx(90, rel=0.03))


def test_small_values_change_by_their_own_ratio_beside_large_ones():
    assert places([1.0] * 10 + [1.3] * 10 + [1000.0] * 10) == [10, 20]


def test_steady_values_are_believed_to_vary_by_half_a_percent():
    assert places([100.0] * MIN_SPAN + [102.1] * MIN_SPAN) == [MIN_SPAN]


def alternating(level, each=10, share=0.01):
    return [level * math.exp(share * (-1) ** index) for index in range(each)]


def test_change_counts_where_it_costs_more_than_the_noise_and_the_penalty():
    noise = 2 * 0.01 / 0.6745 / math.sqrt(2)  # neighbours differ by twice the share, always
    shift = math.sqrt(4 * math.log(20) / 5) * noise  # squares of two levels of ten, from their common mean
    assert places(alternating(100) + alternating(100 * math.exp(1.05 * shift))) == [10]
    assert places(alternating(100) + alternating(100 * math.exp(0.95 * shift))) == []
