"""The ratio of two sides with a bootstrap interval over runs."""

from collections.abc import Sequence
from typing import Any

from loopstall.errors import InputError
from loopstall.records import Estimate

__all__ = ["MIN_RUNS", "ratio_estimate"]

MIN_RUNS = 4
"""Fewer runs a side have fewer than 35 distinct resamples, and their interval says nothing."""

_CONFIDENCE = 0.95
_RESAMPLES = 4_999


def ratio_estimate(base: Sequence[float], head: Sequence[float], *, seed: int = 0) -> Estimate:
    """Estimates median(head) / median(base).

    The interval is the percentile bootstrap over runs (Efron & Tibshirani, An Introduction to the Bootstrap,
    chapter 13), both sides resampled apart: for two sides measured apart there are no pairs.

    Args:
        base: one positive figure a run.
        head: the same of the other side.
        seed: of the resampling.

    Raises:
        InputError: scipy is not installed.
        ValueError: a side has fewer than ``MIN_RUNS`` runs, or a figure that is not positive.
    """
    if min(len(base), len(head)) < MIN_RUNS:
        raise ValueError(f"a ratio needs {MIN_RUNS} runs a side")
    if min(*base, *head) <= 0:
        raise ValueError("a ratio needs positive figures")
    try:
        import numpy as np  # an extra, and slow to import
        from scipy.stats import bootstrap
    except ImportError as error:
        raise InputError("comparing needs numpy and scipy: pip install 'loopstall[stats]'") from error

    def ratio(b: Any, h: Any, axis: int = -1) -> Any:
        return np.median(h, axis=axis) / np.median(b, axis=axis)

    sides = (np.asarray(base, dtype=float), np.asarray(head, dtype=float))
    result = bootstrap(
        sides,
        ratio,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        vectorized=True,
        random_state=np.random.default_rng(seed),
    )
    return Estimate(
        value=float(ratio(*sides)),
        low=float(result.confidence_interval.low),
        high=float(result.confidence_interval.high),
        confidence=_CONFIDENCE,
        runs=min(len(base), len(head)),
    )
