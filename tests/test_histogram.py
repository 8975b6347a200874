from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall import histogram

MS = 1_000_000


def test_quantiles_of_a_known_sample():
    made = histogram.from_counts([(n * MS, 1) for n in range(1, 101)])
    assert (made.p50_ns, made.p90_ns, made.p99_ns, made.max_ns) == (50 * MS, 90 * MS, 99 * MS, 100 * MS)
    assert made.mean_ns == pytest.approx(50.5 * MS)


def test_blocked_observer_stands_for_the_values_it_could_not_take():
    plain = histogram.from_counts([(100 * MS, 1), (MS, 99)])
    corrected = histogram.from_counts([(100 * MS, 1), (MS, 99)], expected_interval_ns=10 * MS)
    assert (plain.count, corrected.count) == (100, 109)
    assert corrected.p99_ns == 90 * MS


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.integers(10**6, 10**8))
def test_correction_agrees_with_the_library(values, interval):
    reference = HdrHistogram(1, 3_600_000_000_000, 2)
    for value in values:
        reference.record_corrected_value(value, interval)
    made = histogram.from_counts([(value, 1) for value in values], expected_interval_ns=interval)
    assert made.count == reference.total_count
    assert made.mean_ns == pytest.approx(reference.get_mean_value(), rel=0.02)
    assert made.max_ns == pytest.approx(reference.get_max_value(), rel=0.02)


def test_encoded_form_is_read_by_the_library():
    made = histogram.from_counts([(5 * MS, 3), (7 * MS, 1)])
    assert HdrHistogram.decode(made.encoded).total_count == 4


def test_nothing_makes_an_empty_histogram():
    made = histogram.from_counts([])
    assert (made.count, made.p99_ns, made.max_ns) == (0, 0, 0)


def test_curve_goes_no_further_than_its_values_carry():
    made = histogram.from_counts([(n * MS, 1) for n in range(1, 101)])
    points = histogram.curve([made, made])
    assert (points[-2][0], points[-1][0]) == (99.5, 100.0)
    assert points[-1] == (100.0, 100 * MS)
    assert [value for _, value in points] == sorted(value for _, value in points)
