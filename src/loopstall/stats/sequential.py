"""Tests that look at the pairs more than once while they come in: alpha is spent over the looks."""

from collections.abc import Sequence
from itertools import pairwise
import math
import statistics

__all__ = ["shares_of_alpha", "student_p"]


def shares_of_alpha(fractions: Sequence[float]) -> tuple[float, ...]:
    """Returns which share of alpha each look at the data may spend; together they spend all of it.

    The linear spending function of Lan & DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70
    (1983): alpha t. It lies between their other two: near O'Brien & Fleming's boundaries next to nothing is left for a
    look at a tenth of the data, near Pocock's too little for the last. A test that rejects where p is below the look's
    share of alpha keeps alpha whatever the looks have in common (Bonferroni), so that the least p / share over the
    looks is a p-value itself.

    Args:
        fractions: the part of all the data that is there at each look, ascending, the last one 1.
    """
    return tuple(now - before for before, now in pairwise([0.0, *fractions]))


def student_p(differences: Sequence[float], *, margin: float = 0.0, least_spread: float = 0.0) -> float:
    """Returns how probable a mean this far over the margin is where the true one is not over it.

    Student's one-sided t-test. Its distribution for a whole number of degrees of freedom is that of Abramowitz &
    Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. It decides about large changes by fewer pairs than a
    test of ranks can, and pays with the assumption that their means are about normal.

    Args:
        differences: one finite figure a pair; fewer than two decide nothing.
        margin: what the mean is to exceed.
        least_spread: the least standard deviation that is believed: that of a few pairs can be small by chance.
    """
    freedom = len(differences) - 1
    if freedom < 1:
        return 1.0
    excess = statistics.fmean(differences) - margin
    spread = max(statistics.stdev(differences), least_spread)
    if not spread:
        return 0.0 if excess > 0 else 1.0
    return _upper_tail(excess / spread * math.sqrt(freedom + 1), freedom)


def _upper_tail(t: float, freedom: int) -> float:
    """Returns the probability of a value of Student's t over ``t``."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = 0.0 if freedom == 1 else (cosine if odd else 1.0)
    for n in range(3 if odd else 2, freedom - 1, 2):
        term *= (n - 1) / n * cosine**2
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return (1 - inside) / 2
