"""HdrHistogram behind two functions, so that one file changes when the library does."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from loopstall.records import Histogram

__all__ = ["curve", "from_counts"]

_LOWEST_NS = 1
_HIGHEST_NS = 3_600_000_000_000  # an hour; what is longer is counted as an hour
_DIGITS = 2  # to better than one percent; a third digit makes every look-up eight times as slow
_CURVE = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95, 99.99)


def from_counts(counts: Iterable[tuple[int, int]], *, expected_interval_ns: int = 0) -> Histogram:
    """Builds a histogram.

    Args:
        counts: (value in ns, how often).
        expected_interval_ns: where positive, each value above it stands for the values that a blocked observer
            could not take in the meantime as well (correction of coordinated omission: G. Tene, "How NOT to
            Measure Latency", 2015).
    """
    values: dict[int, int] = {}
    for value, count in counts:
        clamped = min(max(value, _LOWEST_NS), _HIGHEST_NS)
        values[clamped] = values.get(clamped, 0) + count
        if expected_interval_ns > 0:
            for missed in range(clamped - expected_interval_ns, 0, -expected_interval_ns):
                values[missed] = values.get(missed, 0) + count
    ordered = sorted(values.items())
    hdr = _empty()
    for value, count in ordered:
        hdr.record_value(value, count)
    encoded = hdr.encode()
    total = sum(count for _, count in ordered)
    p50, p90, p99, p999 = _quantiles(ordered, (0.5, 0.9, 0.99, 0.999))
    return Histogram(
        encoded=encoded.decode("ascii") if isinstance(encoded, bytes) else encoded,
        count=total,
        mean_ns=sum(value * count for value, count in ordered) / total if total else 0.0,
        p50_ns=p50,
        p90_ns=p90,
        p99_ns=p99,
        p999_ns=p999,
        max_ns=ordered[-1][0] if ordered else 0,
    )


def _quantiles(ordered: Sequence[tuple[int, int]], shares: Sequence[float]) -> list[int]:
    """Returns the least values that at least these shares of all values do not exceed.

    The library's own look-up steps through every empty slot, which would take longer than all the rest.
    """
    if not ordered:
        return [0] * len(shares)
    ranks = list(accumulate(count for _, count in ordered))
    return [
        next(value for (value, _), rank in zip(ordered, ranks, strict=True) if rank >= share * ranks[-1])
        for share in shares
    ]


def curve(histograms: Iterable[Histogram]) -> tuple[tuple[float, int], ...]:
    """Adds histograms up and returns (percentile, value in ns) as far as their values carry, the maximum last."""
    hdr = _empty()
    highest = 0
    for histogram in histograms:
        hdr.add(type(hdr).decode(histogram.encoded))
        highest = max(highest, histogram.max_ns)
    reach = [p for p in _CURVE if hdr.total_count * (100 - p) >= 100]  # noqa: PLR2004  # at least one value beyond
    values = hdr.get_percentile_to_value_dict(reach) if reach else {}
    return (*((p, min(int(values[p]), highest)) for p in reach), (100.0, highest))


def _empty() -> Any:  # hdrhistogram has no types
    from hdrh.histogram import HdrHistogram  # noqa: PLC0415  # heavy to import, needed after the measurement

    return HdrHistogram(_LOWEST_NS, _HIGHEST_NS, _DIGITS)
