from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.stats.median import median_estimate

VALUES = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=40)


@pytest.mark.parametrize(("n", "confidence"), [(1, 0.0), (2, 0.5), (5, 0.9375), (6, 0.96875)])
def test_range_of_few_runs_has_the_confidence_of_the_binomial(n, confidence):
    estimate = median_estimate(range(n))
    assert (estimate.low, estimate.high, estimate.confidence) == (0, n - 1, confidence)


def test_twenty_runs_leave_the_five_outermost_out_on_each_side():
    estimate = median_estimate(range(20))  # Conover's table: ranks 6 and 15 for n = 20
    assert (estimate.low, estimate.high) == (5, 14)
    assert estimate.confidence == pytest.approx(0.9586, abs=1e-4)


def test_hundred_runs_leave_the_thirty_nine_outermost_out_on_each_side():
    estimate = median_estimate(range(100))  # the ranks 40 and 61 for n = 100
    assert (estimate.low, estimate.high, estimate.runs) == (39, 60, 100)
    assert 0.95 <= estimate.confidence < 0.97


@given(VALUES, st.floats(0.01, 100))
def test_estimate_scales_with_its_values(values, factor):
    plain, scaled = median_estimate(values), median_estimate([value * factor for value in values])
    assert scaled.value == pytest.approx(plain.value * factor)
    assert scaled.low == pytest.approx(plain.low * factor)


@given(VALUES)
def test_median_lies_within_its_interval(values):
    estimate = median_estimate(values)
    assert estimate.low <= estimate.value <= estimate.high


def test_no_run_is_no_estimate():
    with pytest.raises(ValueError, match=r"^an estimate needs at least one run$"):
        median_estimate([])
