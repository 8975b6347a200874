"""Makes a stall of what was seen of it from outside alone: where its loop has not told when it ended, or never will.

Hands on ``stall_from``. The counters that only the program itself reads exactly are taken from what the system says
about its thread, or estimated by what the looks saw.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from loopstall.monitor.code_reader import SeenCode
from loopstall.monitor.counters import CounterReading
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.evidence import StalledSpan, stall_of
from loopstall.monitor.looks import weights_of
from loopstall.monitor.outside.slot import Seen, Stack
from loopstall.monitor.samples import Sample
from loopstall.monitor.stack import RawStack
from loopstall.monitor.syscalls import GIL, RUNNING
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_S

__all__ = ["sample_of", "stall_from"]


def stall_from(
    seen: Sequence[Seen],
    *,
    since_s: float,
    until_s: float,
    threshold_ns: int,
    cpu_ns: int | None = None,
    delay_ns: int | None = None,
    counted_s: float = 0.0,
    task_of: Callable[[Seen], str] = lambda _: "",
    thread_name: Callable[[int], str] = lambda _: "",
    gil: bool = True,
) -> Stall:
    """Returns the stall of a loop that was late from one moment to another: ``unknown`` where no look tells its cause.

    Args:
        seen: the looks, in the order of time.
        since_s: its begin, by the clock of the looks, in seconds.
        until_s: its end, or now where it goes on.
        threshold_ns: the length from which on a span is a stall.
        cpu_ns: what the thread has computed meanwhile; None where nobody has counted.
        delay_ns: for how long it could have run and had no CPU; None where nobody has counted.
        counted_s: for how long of it these two were counted; over all of it for 0.
        task_of: returns the name of the task that a look has met, "" for none.
        thread_name: returns the name of a thread by its number, "" for none.
        gil: whether the interpreter has one.
    """
    span = StalledSpan(
        start_ns=round(since_s * NS_PER_S),
        end_ns=round(until_s * NS_PER_S),
        threshold_ns=threshold_ns,
        gil=gil,
        outside=True,
    )
    if cpu_ns is None:
        running = sum(one.state == RUNNING for one in seen)
        cpu_ns = span.length_ns * running // max(1, len(seen))
    counted_ns = round(counted_s * NS_PER_S) or span.length_ns
    samples = [sample_of(one, task=task_of(one)) for one in seen]
    before = CounterReading(span.end_ns - counted_ns, 0, 0, 0, b"0 0 0")
    after = CounterReading(span.end_ns, cpu_ns, cpu_ns, 0, f"0 {delay_ns or 0} 0".encode())
    stall = stall_of(span, samples, (), before, after)
    evidence = stall.evidence
    if evidence is not None and not (evidence.python_ns + evidence.native_ns + evidence.gil_ns + evidence.waiting_ns):
        return replace(stall, cause="unknown", rule="no sample has seen what the loop's thread did")
    if stall.holder is not None:
        return replace(stall, holder_thread=thread_name(_holder_id(samples, span)))
    return stall


def sample_of(seen: Seen, *, task: str = "", coroutine: str = "") -> Sample:
    """Returns a look as the rest of the monitor takes it.

    Args:
        seen: the look.
        task: name of the task that ran, "" where nobody knows.
        coroutine: name of its coroutine, "" for the one that was seen.
    """
    return Sample(
        at_ns=seen.at_ns,
        asked_ns=seen.at_ns,
        by_signal=False,
        stack=_raw(seen.stack),
        task=task,
        coroutine=coroutine or seen.coroutine,
        syscall=seen.state,
        stepped=seen.stepped,
        holder_id=seen.holder_id,
        holder=_raw(seen.holder),
        frame=seen.frame,
    )


def _holder_id(samples: Sequence[Sample], span: StalledSpan) -> int:
    """Returns the number of the thread that held the GIL for most of the time."""
    held: Counter[int] = Counter()
    for sample, weight in zip(samples, weights_of(samples, span.start_ns, span.end_ns), strict=True):
        if sample.syscall == GIL and sample.holder_id:
            held[sample.holder_id] += weight
    return held.most_common(1)[0][0] if held else 0


def _raw(stack: Stack) -> RawStack:
    return tuple((_code(file, name), line) for file, name, line in stack[:DEPTH])


@lru_cache(maxsize=4096)
def _code(file: str, name: str) -> SeenCode:
    return SeenCode(file, name)
