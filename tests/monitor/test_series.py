from hypothesis import given
from hypothesis import strategies as st

from loopstall.monitor.series import Peaks, Tally

TIMES = st.integers(min_value=0, max_value=10**12)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=300))
def test_peaks_never_lose_a_maximum_and_stay_bounded(points):
    peaks = Peaks(capacity=16)
    for at, value in points:
        peaks.add(at, value)
    series = peaks.series()
    assert max(value for _, value in points) == max(series.peak_ns)
    assert len(series.at_ns) <= 16
    assert len(points) == series.count


@given(st.lists(TIMES, min_size=1, max_size=200))
def test_tally_keeps_count_and_values_to_half_a_percent(values):
    tally = Tally()
    for value in values:
        tally.add(value)
    kept = [value for value, count in tally.counts() for _ in range(count)]
    assert len(values) == len(kept)
    for exact, rounded in zip(sorted(values), kept, strict=True):
        assert exact * (1 - 2**-7) <= rounded <= exact


def test_tally_counts_what_is_below_zero_as_zero():
    tally = Tally()
    tally.add(-5)
    assert tally.counts() == ((0, 1),)
