import random
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from loopstall.errors import InputError
from loopstall.stats.ratio import MIN_RUNS, ratio_estimate

SIDE = st.lists(st.floats(0.5, 2.0), min_size=MIN_RUNS, max_size=8)


def test_clear_difference_has_an_interval_beyond_one():
    estimate = ratio_estimate([1.0, 1.01, 0.99, 1.0, 1.02], [1.5, 1.51, 1.49, 1.5, 1.52])
    assert estimate.value == pytest.approx(1.5)
    assert 1.4 < estimate.low <= estimate.high < 1.6


def test_equal_sides_have_one_within_the_interval():
    side = [1.0, 1.1, 0.9, 1.05, 0.95]
    estimate = ratio_estimate(side, side)
    assert estimate.low < 1 < estimate.high


@settings(max_examples=15, deadline=None)
@given(SIDE, SIDE, st.floats(0.1, 1000))
def test_ratio_does_not_depend_on_the_unit(base, head, factor):
    plain = ratio_estimate(base, head)
    scaled = ratio_estimate([value * factor for value in base], [value * factor for value in head])
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((plain.value, plain.low, plain.high))


@settings(max_examples=15, deadline=None)
@given(SIDE, SIDE)
def test_swapped_sides_have_the_inverse_ratio(base, head):
    assert ratio_estimate(base, head).value == pytest.approx(1 / ratio_estimate(head, base).value)


def test_too_few_runs_are_no_ratio():
    with pytest.raises(ValueError, match="runs a side"):
        ratio_estimate([1.0] * (MIN_RUNS - 1), [1.0] * MIN_RUNS)


def test_zero_is_no_side_of_a_ratio():
    with pytest.raises(ValueError, match="positive"):
        ratio_estimate([0.0] * MIN_RUNS, [1.0] * MIN_RUNS)


def test_head_that_is_zero_is_no_side_of_a_ratio_either():
    with pytest.raises(ValueError, match=r"^a ratio needs positive figures$"):
        ratio_estimate([1.0] * MIN_RUNS, [0.0, *[1.0] * MIN_RUNS])


def test_estimate_says_its_confidence_and_the_runs_of_the_shorter_side():
    estimate = ratio_estimate([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0, 10.0])
    assert (estimate.confidence, estimate.runs) == (0.95, 4)


def test_whole_and_large_figures_have_the_ratio_of_the_same_in_floats():
    whole, floats = [10**25, 2 * 10**25, 3 * 10**25, 4 * 10**25], [1e25, 2e25, 3e25, 4e25]
    assert ratio_estimate(whole, whole) == ratio_estimate(floats, floats)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(InputError, match=r"^comparing needs numpy and scipy: pip install 'loopstall\[stats\]'$"):
        ratio_estimate([1.0] * MIN_RUNS, [1.0] * MIN_RUNS)


def test_each_side_is_resampled_by_itself():
    steady, spread = [1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rises, falls = ratio_estimate(steady, spread), ratio_estimate(spread, steady)
    assert (rises.low < 2.5, rises.high > 4.5) == (True, True)
    assert (falls.low < 1 / 4.5, falls.high > 1 / 2.5) == (True, True)


def test_resampling_has_a_seed_so_that_an_interval_is_the_same_again():
    chance = random.Random(1)
    sides = [[chance.uniform(1, 2) for _ in range(9)] for _ in range(2)]
    assert ratio_estimate(*sides) == ratio_estimate(*sides, seed=0)
    assert any(ratio_estimate(*sides) != ratio_estimate(*sides, seed=seed) for seed in range(1, 9))
