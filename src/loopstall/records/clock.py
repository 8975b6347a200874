"""The clock that everything here measures with, as a type, so that tests can hand in their own."""

from collections.abc import Callable
import time

__all__ = ["NS_PER_MS", "NS_PER_S", "Clock", "epoch_s", "now_ns"]

Clock = Callable[[], int]
"""Returns monotonic time in ns."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

now_ns: Clock = time.perf_counter_ns


def epoch_s(at_ns: int) -> float:
    """Returns when a moment of ``now_ns`` was, in seconds since 1970, UTC."""
    return time.time() - (now_ns() - at_ns) / NS_PER_S
