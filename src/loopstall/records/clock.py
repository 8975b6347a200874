"""The clock that everything here measures with, as a type, so that tests can hand in their own."""

from collections.abc import Callable, Iterable
import time

__all__ = ["NS_PER_MS", "NS_PER_S", "Clock", "by_second", "epoch_s", "now_ns"]

Clock = Callable[[], int]
"""Returns monotonic time in ns."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

now_ns: Clock = time.perf_counter_ns


def epoch_s(at_ns: int) -> float:
    """Returns when a moment of ``now_ns`` was, in seconds since 1970, UTC."""
    return time.time() - (now_ns() - at_ns) / NS_PER_S


def by_second(start_ns: int, end_ns: int, *, most: int) -> Iterable[tuple[int, int]]:
    """Returns how long a callback that fell due in each second of a span waited at most: (second, ns).

    Args:
        start_ns: the begin of the span.
        end_ns: its end.
        most: the number of seconds before the last one that are of interest.
    """
    first, last = start_ns // NS_PER_S, (end_ns - 1) // NS_PER_S
    return ((second, end_ns - max(start_ns, second * NS_PER_S)) for second in range(max(first, last - most), last + 1))
