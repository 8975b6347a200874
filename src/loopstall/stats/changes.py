"""Changes of level in a series."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
import math
import statistics

from loopstall.records import Change

__all__ = ["MIN_SPAN", "change_points", "level_starts"]

MIN_SPAN = 3
"""A level is one that at least so many values in a row keep: one value off is noise."""

_LEAST = 0.02
"""A relative change below this is none, however steady the values are."""

_STEADIEST = 0.005
"""The least relative noise that is believed: a handful of equal values does not mean that the next is equal."""

_MAD = 0.6745  # median absolute deviation of a normal distribution of standard deviation 1


def change_points(values: Sequence[float]) -> tuple[Change, ...]:
    """Finds the values with which a new level begins.

    PELT (Killick, Fearnhead & Eckley 2012, "Optimal detection of changepoints with a linear computational cost") for
    shifts of the mean of the logarithms, in units of the noise, which is the median absolute difference of neighbours.
    The penalty of a change is 4 log n, twice that of the BIC, for a false one costs a reader more than a late one.

    Args:
        values: in order; of a share or a time, not negative.
    """
    if len(values) < 2 * MIN_SPAN or max(values) == min(values):
        return ()
    positive = min(values) > 0
    levels = [math.log(value) for value in values] if positive else list(values)
    steps = [abs(b - a) for a, b in pairwise(levels)]
    least = _STEADIEST * (1.0 if positive else max(map(abs, values)))
    noise = max(statistics.median(steps) / _MAD / math.sqrt(2), least)
    signal = [(level - levels[0]) / noise for level in levels]
    return _described(values, [*level_starts(signal, penalty=4 * math.log(len(values))), len(values)])


def level_starts(signal: Sequence[float], *, penalty: float) -> list[int]:
    """Divides a signal into levels of at least ``MIN_SPAN`` values and returns where each begins, the first at 0.

    Exact: no other division costs less. The cost is the sum of squared distances from the mean of each level, and the
    penalty for each.

    Args:
        signal: at least ``MIN_SPAN`` values.
        penalty: of a level, in squares of the signal's unit.
    """
    sums = [0.0, *accumulate(signal)]
    squares = [0.0, *accumulate(value * value for value in signal)]

    def cost(begin: int, end: int) -> float:
        return squares[end] - squares[begin] - (sums[end] - sums[begin]) ** 2 / (end - begin)

    least = [0.0] + [math.inf] * len(signal)  # what the first so many values cost at least
    last = [0] * len(least)  # where their last level begins then
    begins: list[int] = []
    for end in range(MIN_SPAN, len(least)):
        newest = end - MIN_SPAN
        if least[newest] < math.inf:
            # What costs more than the newest place up to there can never cost less later. It is dropped no sooner than
            # the newest can begin a level, MIN_SPAN values on: with PELT's rule as published, levels that have a least
            # length would not be exact.
            begins = [begin for begin in begins if least[begin] + cost(begin, newest) < least[newest]]
            begins.append(newest)
        least[end], last[end] = min((least[begin] + cost(begin, end) + penalty, begin) for begin in begins)
    starts = [last[-1]]
    while starts[-1] > 0:
        starts.append(last[starts[-1]])
    return starts[::-1]


def _described(values: Sequence[float], bounds: list[int]) -> tuple[Change, ...]:
    """Returns the changes between neighbouring levels that are large enough; the others' levels are put together."""
    changes: list[Change] = []
    start = bounds[0]
    for begin, end in pairwise(bounds[1:]):
        before, after = statistics.median(values[start:begin]), statistics.median(values[begin:end])
        if abs(after - before) > _LEAST * max(abs(before), abs(after)):
            changes.append(Change(at=begin, before=before, after=after))
            start = begin
    return tuple(changes)
