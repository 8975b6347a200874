"""Work for threads beside the loop that are now in C and now in Python."""

import time

from kinds.base import Work

_NUMBERS = range(400_000)  # some 4 to 8 ms
_STEPS = 10_000  # a tenth of that


def by_turns(seconds: float) -> None:
    """Computes in C calls that keep the GIL, and for a small part of the time in Python between them."""
    until = time.perf_counter() + seconds
    total = 0
    while time.perf_counter() < until:
        total += sum(_NUMBERS)  # here
        for number in range(_STEPS):
            total += number & 3


BY_TURNS = Work(by_turns)
