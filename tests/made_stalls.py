"""Stalls made of samples and counters that a test sets."""

import asyncio
from dataclasses import replace
from typing import NamedTuple

from loopstall.monitor.counters import CounterReading
from loopstall.monitor.evidence import StalledSpan, stall_of
from loopstall.monitor.probes import epoll
from loopstall.monitor.samples import Sample, ThreadView
from loopstall.monitor.syscalls import GIL, RUNNING

MS = 1_000_000
START = 1000 * MS
LIBRARY = asyncio.__file__


class Code(NamedTuple):
    co_filename: str
    co_qualname: str


def stack(*functions):
    """A stack, innermost first; what is in angle brackets is the loop's, the rest the user's."""
    return tuple(
        (Code(LIBRARY if name.startswith("<") else "/home/someone/app.py", name.strip("<>")), 7) for name in functions
    )


def sample(at, *, late=0, by_signal=False, calls=("handler", "<run>"), **rest):
    """A sample ``at`` ms after the start, asked for ``late`` ms before."""
    at_ns = START + round(at * MS)
    return Sample(at_ns=at_ns, asked_ns=at_ns - round(late * MS), by_signal=by_signal, stack=stack(*calls), **rest)


def waiting(at, *inner, **rest):
    """A look at a loop that waits for events, with what runs within that wait."""
    seen = sample(at, calls=("<run>",), **rest)
    return replace(seen, stack=(*stack(*inner), (Code(epoll.__file__, "select"), 7), *seen.stack))


def view(at, name, cpu, state=RUNNING, *, calls=("hog",)):
    return ThreadView(at_ns=START + at * MS, name=name, cpu_ns=cpu * MS, stack=stack(*calls), state=state)


def reading(at, *, own=0, process=0, gc=0, schedstat=b"1 0 9"):
    return CounterReading(START + at * MS, own * MS, process * MS, gc * MS, schedstat)


def span(length=100, **rest):
    return StalledSpan(start_ns=START, end_ns=START + length * MS, threshold_ns=5 * MS, **rest)


def stall(samples=(), views=(), *, before=None, after=None, length=100, on_return=(), look_beside=tuple, **rest):
    """A stall of 100 ms, unless said otherwise, over which the counters have stood still."""
    return stall_of(
        span(length, **rest), samples, views, before or reading(0), after or reading(length), on_return=on_return,
        look_beside=look_beside,
    )  # fmt: skip


def kept_out(**rest):
    """A stall in which the other threads computed all the time, and the loop was seen waiting for the GIL."""
    after = reading(100, own=1, process=100)
    return stall([sample(50, late=10, syscall=GIL)], after=after, **rest)
