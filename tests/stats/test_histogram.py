import base64
import sys
import sysconfig

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.errors import InputError
from loopstall.stats import histogram

MS = 1_000_000
HOUR = 3_600_000 * MS

COUNTS = st.dictionaries(st.integers(1, HOUR), st.integers(1, 2**62 // 40), max_size=40)

TODAY = (  # 1, 5 and 70 ms and 20 s, as hdrhistogram 0.10.8 has written them
    "HISTFAAAAC94nJNpmSzMwMDAwwABTFCakYGB2c1gxwIG+w8QgefSKUdZbK6zq80VYAIApAgIdA=="
)


beside_the_library = pytest.mark.skipif(
    sys.version_info >= (3, 14) or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="hdrhistogram warns when it is imported on 3.14, has no wheel for 3.15, and switches a GIL on",
)


def library():
    from hdrh.histogram import HdrHistogram

    return HdrHistogram(1, HOUR, 2)


def encoded_by_the_library(counts):
    reference = library()
    for value, count in counts.items():
        reference.record_value(value, count)
    return reference, reference.encode().decode("ascii")


def test_quantiles_of_a_known_sample():
    made = histogram.from_counts([(n * MS, 1) for n in range(1, 101)])
    assert (made.p50_ns, made.p90_ns, made.p99_ns, made.max_ns) == (50 * MS, 90 * MS, 99 * MS, 100 * MS)
    assert made.mean_ns == pytest.approx(50.5 * MS)


def test_blocked_observer_stands_for_the_values_it_could_not_take():
    plain = histogram.from_counts([(100 * MS, 1), (MS, 99)])
    corrected = histogram.from_counts([(100 * MS, 1), (MS, 99)], expected_interval_ns=10 * MS)
    assert (plain.count, corrected.count) == (100, 109)
    assert corrected.p99_ns == 90 * MS


@beside_the_library
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.integers(10**6, 10**8))
def test_correction_agrees_with_the_library(values, interval):
    reference = library()
    for value in values:
        reference.record_corrected_value(value, interval)
    made = histogram.from_counts([(value, 1) for value in values], expected_interval_ns=interval)
    assert made.count == reference.total_count
    assert made.mean_ns == pytest.approx(reference.get_mean_value(), rel=0.02)
    assert made.max_ns == pytest.approx(reference.get_max_value(), rel=0.02)


@beside_the_library
@given(COUNTS)
def test_encoding_is_the_library_s_to_the_byte(counts):
    _, encoded = encoded_by_the_library(counts)
    assert histogram.from_counts(counts.items()).encoded == encoded


@beside_the_library
@given(st.lists(COUNTS.filter(bool), min_size=1, max_size=4))
def test_curve_is_the_library_s(samples):
    total = library()
    made = []
    for counts in samples:
        reference, _ = encoded_by_the_library(counts)
        total.add(reference)
        made.append(histogram.from_counts(counts.items()))
    *points, last = histogram.curve(made)
    assert last == (100.0, max(map(max, samples)))
    for percentile, value in points:
        assert value == min(total.get_value_at_percentile(percentile), last[1])


def test_files_of_today_are_read():
    made = histogram.from_counts([(MS, 50), (5 * MS, 30), (70 * MS, 19), (20_000 * MS, 1)])
    assert made.encoded == TODAY
    assert histogram.curve([made]) == histogram.curve([made, histogram.from_counts([])])
    assert dict(histogram.curve([made]))[75.0] == pytest.approx(5 * MS, rel=0.01)


@given(COUNTS)
def test_what_is_encoded_is_read_again_to_within_one_percent(counts):
    made = histogram.from_counts(counts.items())
    points = histogram.curve([made])
    values = [value for _, value in points]
    assert values == sorted(values)
    assert points[-1] == (100.0, made.max_ns)
    for percentile, value in points[:-1]:
        below = sum(count for known, count in counts.items() if known <= value)
        assert below >= int(percentile / 100 * made.count)
        assert any(known <= value <= known * 1.01 or value <= known <= value * 1.01 for known in counts)


@given(st.integers(1, HOUR))
def test_value_falls_into_one_bucket_narrower_than_one_percent_of_it(value):
    lowest, width = histogram._bounds(histogram._index(value))
    assert lowest <= value < lowest + width
    assert width == 1 or width * 100 <= value
    assert histogram._index(lowest + width) == histogram._index(value) + 1


def test_nothing_makes_an_empty_histogram():
    made = histogram.from_counts([])
    assert (made.count, made.mean_ns, made.p99_ns, made.max_ns) == (0, 0, 0, 0)
    assert histogram.curve([made]) == ((100.0, 0),)


def test_curve_goes_no_further_than_its_values_carry():
    made = histogram.from_counts([(n * MS, 1) for n in range(1, 101)])
    points = histogram.curve([made, made])
    assert (points[-2][0], points[-1][0]) == (99.5, 100.0)
    assert points[-1] == (100.0, 100 * MS)
    assert [value for _, value in points] == sorted(value for _, value in points)


@pytest.mark.parametrize(
    "encoded", ["", "AAAA", "?", "ü", TODAY[:-8], "AAAA" + TODAY[4:], TODAY[:16] + "AAAA" + TODAY[20:]]
)
def test_what_is_no_histogram_of_ours_is_refused_in_a_sentence(encoded):
    with pytest.raises(InputError, match="cannot be read"):
        histogram.curve([broken(encoded)])


@pytest.mark.parametrize("numbers", [b"\x80", b"\x02" * (histogram._BUCKETS + 1), b"\xff\xff\x7f\x02"])
def test_counts_that_do_not_fit_the_buckets_are_refused(monkeypatch, numbers):
    monkeypatch.setattr(histogram, "_unpacked", lambda _packed: numbers)
    with pytest.raises(InputError, match="cannot be read"):
        histogram.curve([histogram.from_counts([])])


def test_percentile_is_the_value_of_the_nearest_rank():
    made = histogram.from_counts([(10, 2), (20, 1), (30, 1), (100, 396)])
    assert dict(histogram.curve([made]))[25.0] == 100
    ranks = [0] * 10 + [2] * 10 + [3] * 10 + [4]
    assert [histogram._percentile(ranks, percentile) for percentile in (0.0, 37.4, 62.5, 87.4, 87.5)] == [
        10,
        10,
        20,
        20,
        30,
    ]


def test_maximum_in_the_last_bucket_counts_among_those_that_a_curve_needs():
    made = histogram.from_counts([(HOUR, 100)])
    assert [percentile for percentile, _ in histogram.curve([made])][-2:] == [99.0, 100.0]


def broken(encoded):
    return histogram.Histogram(encoded=encoded, count=1, mean_ns=1.0, p50_ns=1, p90_ns=1, p99_ns=1, p999_ns=1, max_ns=1)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (TODAY.replace("H", "H?", 1), "(Only base64|Non-base64)"),
        (
            base64.b64encode(b"\0" + base64.b64decode(TODAY)[1:]).decode(),
            "it is encoded otherwise or has other buckets",
        ),
        (base64.b64encode(base64.b64decode(TODAY) + b"x").decode(), "a part is missing"),
    ],
)
def test_what_is_wrong_with_an_encoding_is_said(encoded, why):
    with pytest.raises(InputError, match=rf"^a histogram of a run cannot be read \({why}"):
        histogram.curve([broken(encoded)])


def test_number_that_does_not_end_is_said(monkeypatch):
    monkeypatch.setattr(histogram, "_unpacked", lambda _packed: b"\x80")
    with pytest.raises(InputError, match=r"\(its counts are cut off\)"):
        histogram.curve([broken("")])


def test_ninth_byte_of_a_number_is_whole_and_its_last():
    numbers = bytearray()
    histogram._put(numbers, 2**63 + 5)
    assert numbers == b"\x85" + 8 * b"\x80"
    first, *rest = numbers
    assert histogram._long(first, iter(rest)) == 2**63 + 5


def test_correction_reaches_down_to_the_least_value_and_interval():
    assert histogram.from_counts([(3, 1)], expected_interval_ns=1).count == 3
    assert histogram.from_counts([(3, 1)], expected_interval_ns=0).count == 1


def test_least_value_that_999_of_1000_do_not_exceed():
    assert histogram.from_counts([(n * MS, 1) for n in range(1, 1001)]).p999_ns == 999 * MS


def test_values_of_one_bucket_are_counted_together():
    assert histogram.from_counts([(1000, 3), (1001, 5)]).encoded == histogram.from_counts([(1000, 8)]).encoded
