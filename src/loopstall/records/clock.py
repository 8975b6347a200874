"""The clock that everything here measures with, as a type, so that tests can hand in their own."""

from collections.abc import Callable
import time

__all__ = ["NS_PER_MS", "NS_PER_S", "Clock", "now_ns"]

Clock = Callable[[], int]
"""Returns monotonic time in ns."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

now_ns: Clock = time.perf_counter_ns
