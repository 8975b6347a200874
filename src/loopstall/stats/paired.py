"""Paired differences: their centre with an exact interval, an exact test, and a correction for many tests."""

from collections.abc import Sequence
from functools import lru_cache
import math

from loopstall.records import Estimate

__all__ = ["fewest_pairs", "hodges_lehmann", "holm", "signed_rank_p"]


def signed_rank_p(differences: Sequence[float]) -> float:
    """Returns how probable a sum of positive ranks at least this great is where no side is worse.

    The exact one-sided Wilcoxon signed-rank test (Hollander, Wolfe & Chicken, Nonparametric Statistical Methods,
    3rd ed., section 3.1). A difference of zero counts as negative, and the positive ones of equal size take the
    lowest of their ranks, so that neither makes a finding out of nothing.

    Args:
        differences: one finite figure a pair, positive where the candidate is worse.
    """
    ordered = sorted(differences, key=lambda value: (abs(value), value <= 0))
    total = sum(rank for rank, value in enumerate(ordered, start=1) if value > 0)
    counts = _rank_sums(len(ordered))
    return float(sum(counts[total:]) / 2 ** len(ordered))


def hodges_lehmann(differences: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """Estimates the centre of the differences: the median of the means of all pairs of them.

    The interval is that of all centres which the signed-rank test does not reject (ibid., sections 3.2 and 3.3); where
    there are too few pairs for the confidence wanted, it is the widest, with the confidence that it has.

    Args:
        differences: one finite figure a pair, at least one.
        confidence: that the interval is to have.

    Raises:
        ValueError: there is no difference.
    """
    n = len(differences)
    if not n:
        raise ValueError("an estimate needs at least one pair")
    means = sorted((differences[i] + differences[j]) / 2 for i in range(n) for j in range(i, n))
    counts = _rank_sums(n)
    k, below = 1, 1  # means left out on each side, less one; rank sums that then lie outside
    while k < len(means) // 2 and 2 * (below + counts[k]) <= (1 - confidence) * 2**n:
        below += counts[k]
        k += 1
    return Estimate(
        value=(means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2,
        low=means[k - 1],
        high=means[-k],
        confidence=float(max(0.0, 1 - 2 * below / 2**n)),
        runs=n,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the p-values corrected for their number, in the order given.

    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979: the family-wise error stays below what
    a corrected value is compared with, however the tests depend on each other.
    """
    corrected = [0.0] * len(p_values)
    greatest = 0.0
    for passed, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        greatest = max(greatest, min(1.0, (len(p_values) - passed) * p_values[index]))
        corrected[index] = greatest
    return corrected


def fewest_pairs(tests: int, alpha: float) -> int:
    """Returns how many pairs a test needs to be able to find anything, as one of so many tests."""
    return math.ceil(math.log2(max(1, tests) / alpha))


@lru_cache(maxsize=64)
def _rank_sums(n: int) -> tuple[int, ...]:
    """Returns how many of the 2**n ways to choose among the ranks 1 to n have each sum."""
    counts = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(len(counts) - 1, rank - 1, -1):
            counts[total] += counts[total - rank]
    return tuple(counts)
