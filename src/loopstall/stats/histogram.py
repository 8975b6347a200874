"""Distributions of times, in the buckets and in the encoding of HdrHistogram, which other tools read.

The buckets: G. Tene, HdrHistogram, https://github.com/HdrHistogram/HdrHistogram. A value below 256 has a bucket of its
own; above, each power of two is divided into 128 buckets of one width, so that a bucket is narrower than one percent
of its values. The encoding is that project's V2: counts as ZigZag LEB128 numbers, where a negative one stands for so
many empty buckets, after a header, compressed by zlib, in base64.
"""

import base64
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
import struct
import zlib

from loopstall.errors import InputError
from loopstall.records import Histogram

__all__ = ["curve", "from_counts"]

_LOWEST_NS = 1
_HIGHEST_NS = 3_600_000_000_000  # an hour; what is longer is counted as an hour
_DIGITS = 2  # to better than one percent; a third digit makes everything eight times as large
_HALF_BITS = 7  # the width of a power of two's buckets: 2 * 10**_DIGITS values fit into 2**(7 + 1) single ones
_CURVE = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95, 99.99)

_COUNTS_COOKIE, _ZLIB_COOKIE = 0x1C849313, 0x1C849314
_ENVELOPE = struct.Struct(">II")  # cookie, how many compressed bytes follow
_HEADER = struct.Struct(">IIIIQQd")  # cookie, bytes of counts, index offset, digits, lowest, highest, unit
_LOW_BITS = 0x7F  # of a byte of a number; the highest bit says that more follow
_WHOLE_BYTE = 56  # the ninth byte of a number holds eight bits and is its last


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
    total = sum(count for _, count in ordered)
    p50, p90, p99, p999 = _quantiles(ordered, (0.5, 0.9, 0.99, 0.999))
    return Histogram(
        encoded=_encode(ordered),
        count=total,
        mean_ns=sum(value * count for value, count in ordered) / total if total else 0.0,
        p50_ns=p50,
        p90_ns=p90,
        p99_ns=p99,
        p999_ns=p999,
        max_ns=ordered[-1][0] if ordered else 0,
    )


def _quantiles(ordered: Sequence[tuple[int, int]], shares: Sequence[float]) -> list[int]:
    """Returns the least values that at least these shares of all values do not exceed."""
    if not ordered:
        return [0] * len(shares)
    ranks = list(accumulate(count for _, count in ordered))
    return [ordered[bisect_left(ranks, share * ranks[-1])][0] for share in shares]


def curve(histograms: Iterable[Histogram]) -> tuple[tuple[float, int], ...]:
    """Adds histograms up and returns (percentile, value in ns) as far as their values carry, the maximum last.

    Raises:
        InputError: a histogram's encoding cannot be read.
    """
    buckets = [0] * _BUCKETS
    highest = 0
    for histogram in histograms:
        _add(buckets, histogram.encoded)
        highest = max(highest, histogram.max_ns)
    ranks = list(accumulate(buckets))
    reach = [p for p in _CURVE if ranks[-1] * (100 - p) >= 100]  # noqa: PLR2004  # at least one value beyond
    return (*((p, min(_percentile(ranks, p), highest)) for p in reach), (100.0, highest))


def _percentile(ranks: Sequence[int], percentile: float) -> int:
    """Returns the highest value of the bucket that a percentile falls into; of the 0th, the lowest."""
    lowest, width = _bounds(bisect_left(ranks, max(int(percentile * ranks[-1] / 100 + 0.5), 1)))
    return lowest + width - 1 if percentile else lowest


def _index(value: int) -> int:
    """Returns the bucket that a value falls into."""
    shift = max(value.bit_length() - _HALF_BITS - 1, 0)
    return (shift << _HALF_BITS) + (value >> shift)


def _bounds(index: int) -> tuple[int, int]:
    """Returns the lowest value of a bucket and how many values fall into it."""
    shift = max((index >> _HALF_BITS) - 1, 0)
    return (index - (shift << _HALF_BITS)) << shift, 1 << shift


_BUCKETS = _index(_HIGHEST_NS) + 1


def _encode(ordered: Iterable[tuple[int, int]]) -> str:
    """Encodes (value, how often) in order of the values."""
    buckets: dict[int, int] = {}
    for value, count in ordered:
        index = _index(value)
        buckets[index] = buckets.get(index, 0) + count
    numbers = bytearray()
    begin = 0
    for index, count in buckets.items():
        if count:
            if index > begin:
                _put(numbers, 2 * (index - begin) - 1)
            _put(numbers, 2 * count)
            begin = index + 1
    header = _HEADER.pack(_COUNTS_COOKIE, len(numbers), 0, _DIGITS, _LOWEST_NS, _HIGHEST_NS, 1.0)
    compressed = zlib.compress(header + numbers)
    return base64.b64encode(_ENVELOPE.pack(_ZLIB_COOKIE, len(compressed)) + compressed).decode("ascii")


def _put(numbers: bytearray, number: int) -> None:
    """Appends a number that is not negative as LEB128, seven bits a byte, the lowest first."""
    written = 0
    while number > _LOW_BITS and written < _WHOLE_BYTE:
        numbers.append(number & _LOW_BITS | 0x80)
        number >>= 7
        written += 7
    numbers.append(number)


def _add(buckets: list[int], encoded: str) -> None:
    """Adds the counts of an encoded histogram to those of the same buckets.

    Raises:
        InputError: these are no counts of our buckets.
    """
    try:
        numbers = iter(_unpacked(base64.b64decode(encoded, validate=True)))
        index = 0
        for byte in numbers:
            number = byte if byte <= _LOW_BITS else _long(byte, numbers)
            if number & 1:
                index += number >> 1
            elif number:
                buckets[index] += number >> 1
            index += 1
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise InputError(
            f"a histogram of a run cannot be read ({error}); restore the run's file, or measure it again"
        ) from error


def _unpacked(packed: bytes) -> bytes:
    """Returns the numbers behind both headers."""
    cookie, length = _ENVELOPE.unpack_from(packed)
    unpacked = zlib.decompress(packed[_ENVELOPE.size :])
    inner, counts_length, offset, digits, lowest, _, _ = _HEADER.unpack_from(unpacked)
    numbers = unpacked[_HEADER.size : _HEADER.size + counts_length]
    if (cookie, inner) != (_ZLIB_COOKIE, _COUNTS_COOKIE) or (offset, digits, lowest) != (0, _DIGITS, _LOWEST_NS):
        raise ValueError("it is encoded otherwise or has other buckets")
    if (length, counts_length) != (len(packed) - _ENVELOPE.size, len(numbers)):
        raise ValueError("a part is missing")
    return numbers


def _long(byte: int, rest: Iterator[int]) -> int:
    """Returns the number that begins with this byte and goes on with the next ones."""
    number, shift = byte & _LOW_BITS, 7
    for more in rest:
        if more <= _LOW_BITS or shift == _WHOLE_BYTE:
            return number | more << shift
        number |= (more & _LOW_BITS) << shift
        shift += 7
    raise ValueError("its counts are cut off")
