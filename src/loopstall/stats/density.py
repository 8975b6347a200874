"""The density of a few values, to draw their distribution."""

from collections.abc import Sequence

from loopstall.errors import InputError

__all__ = ["density"]

_LEAST = 4
"""Of fewer values a curve would say more than they do."""


def density(values: Sequence[float], at: Sequence[float]) -> list[float]:
    """Returns the Gaussian kernel density of values, its bandwidth by Scott's rule, scaled so that its peak is 1.

    Scott, Multivariate Density Estimation, chapter 6.

    Args:
        values: one a run.
        at: where the density is wanted.

    Returns:
        As many as ``at``; nothing where there are fewer than four values, all are the same or none is near ``at``.

    Raises:
        InputError: scipy is not installed.
    """
    if len(values) < _LEAST or min(values) == max(values):
        return []
    try:
        from scipy.stats import gaussian_kde  # an extra, and slow to import
    except ImportError as error:
        raise InputError("comparing needs numpy and scipy: pip install 'loopstall[stats]'") from error
    found = [float(one) for one in gaussian_kde(values)(at)]
    peak = max(found)
    return [one / peak for one in found] if peak > 0 else []
