"""The median of a few runs with an interval that assumes nothing about their distribution."""

from collections.abc import Sequence
import math
import statistics

from loopstall.records import Estimate

__all__ = ["median_estimate"]

_WANTED = 0.95


def median_estimate(values: Sequence[float]) -> Estimate:
    """Estimates the median of runs from their order statistics.

    The interval between the k-th smallest and the k-th greatest of n values holds the median with probability
    1 - 2·B(k-1; n, 1/2), B being the binomial distribution function (Conover, Practical Nonparametric
    Statistics, 3rd ed., section 3.2). The narrowest interval of at least 95% is taken; for fewer than six runs
    there is none, so that the range is given with the confidence that it has.

    Args:
        values: one figure a run, at least one.

    Raises:
        ValueError: there is no value.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        raise ValueError("an estimate needs at least one run")
    k, confidence = 1, _coverage(1, n)
    while k < n // 2 and _coverage(k + 1, n) >= _WANTED:
        k, confidence = k + 1, _coverage(k + 1, n)
    return Estimate(
        value=statistics.median(ordered),
        low=ordered[k - 1],
        high=ordered[n - k],
        confidence=confidence,
        runs=n,
    )


def _coverage(k: int, n: int) -> float:
    below = sum(math.comb(n, i) for i in range(k)) / float(2**n)
    return max(0.0, 1.0 - 2.0 * below)
