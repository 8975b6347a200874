"""Where a series changes its level."""

from collections.abc import Sequence
from itertools import pairwise
import math
import statistics

from loopstall.errors import InputError
from loopstall.records import Change

__all__ = ["MIN_SPAN", "change_points"]

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

    Raises:
        InputError: ruptures is not installed.
    """
    if len(values) < 2 * MIN_SPAN or max(values) == min(values):
        return ()
    try:
        import numpy as np  # noqa: PLC0415  # an extra, and slow to import
        import ruptures  # noqa: PLC0415
    except ImportError as error:
        raise InputError("change points need ruptures: pip install 'loopstall[stats]'") from error
    positive = min(values) > 0
    levels = [math.log(value) for value in values] if positive else list(values)
    steps = [abs(b - a) for a, b in pairwise(levels)]
    least = _STEADIEST * (1.0 if positive else max(map(abs, values)))
    noise = max(statistics.median(steps) / _MAD / math.sqrt(2), least)
    signal = (np.asarray(levels) / noise).reshape(-1, 1)
    ends = ruptures.Pelt(model="l2", min_size=MIN_SPAN, jump=1).fit(signal).predict(pen=4 * math.log(len(values)))
    return _described(values, [0, *ends])


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
