"""The proof that looks from outside give of a stall: how its time divides, and who held the GIL.

A look stands for the time around it. Python code is a position that moved while it was looked at; native code, one that
stood while the process computed. Hands on pure functions; which cause follows is the matter of ``cause``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from loopstall.monitor.samples import Sample
from loopstall.monitor.stack import resolve
from loopstall.monitor.syscalls import GIL, READY, RUNNING
from loopstall.records import Evidence, Frame
from loopstall.records.frames import culprit

__all__ = ["holder_of", "weights_of", "with_shares"]

_SHORT_CALLS, _SHORT_CALLS_SHARE = 2, 0.25  # looks with steps, and their share; a long call has one before and after


def weights_of(samples: Sequence[Sample], start_ns: int, end_ns: int) -> list[int]:
    """Returns how much of a span each look stands for, in ns: up to half the way to its neighbours, or to an end."""
    at = [min(max(sample.at_ns, start_ns), end_ns) for sample in samples]
    borders = [start_ns, *((one + next_one) // 2 for one, next_one in pairwise(at)), end_ns]
    return [max(1, after - before) for before, after in pairwise(borders)][: len(samples)]


def with_shares(evidence: Evidence, samples: Sequence[Sample], weights: Sequence[int], *, back_ns: int = 0) -> Evidence:
    """Returns evidence of a stall with how its time divides.

    Args:
        evidence: the counters.
        samples: of looks from outside, in the order of time.
        weights: how much of the stall each stands for, in ns.
        back_ns: when the loop came back from waiting for events: by then a want of a CPU is part of its being late.
    """
    shares: Counter[str] = Counter()
    short_calls = _of_short_calls(samples)
    for sample, weight in zip(samples, weights, strict=True):
        doing = _doing(sample, short_calls)
        if doing != "ready" or sample.at_ns >= back_ns:
            shares[doing] += weight
    return replace(
        evidence,
        outside=True,
        python_ns=shares["python"],
        native_ns=shares["native"],
        gil_ns=shares["gil"],
        waiting_ns=shares["waiting"],
        ready_ns=shares["ready"],
    )


def _of_short_calls(samples: Sequence[Sample]) -> set[str]:
    """Returns the functions that make many short calls of C code: some looks meet a step there, and not just one."""
    ran: Counter[str] = Counter()
    stepped: Counter[str] = Counter()
    for sample in samples:
        if sample.syscall == RUNNING:
            ran[_function(sample)] += 1
            stepped[_function(sample)] += sample.stepped
    return {name for name in ran if stepped[name] >= max(_SHORT_CALLS, ran[name] * _SHORT_CALLS_SHARE)}


def _function(sample: Sample) -> str:
    if not sample.stack:
        return ""
    code = sample.stack[0][0]
    return f"{code.co_filename}:{code.co_qualname}"


def _doing(sample: Sample, short_calls: set[str]) -> str:
    """Returns what a thread did at a look.

    Many short calls of C code count as the Python code that makes them, though most looks may meet it within one.
    """
    if sample.syscall == RUNNING:
        return "python" if sample.stepped or _function(sample) in short_calls else "native"
    if sample.syscall == GIL:
        return "gil" if sample.holder_id else ""
    if sample.syscall == READY:
        return "ready"
    return "waiting" if sample.syscall else ""


def holder_of(samples: Sequence[Sample], weights: Sequence[int]) -> tuple[Frame | None, str]:
    """Returns the culprit of the thread that held the GIL for most of the time, and its name, "" where nobody knows."""
    held: Counter[int] = Counter()
    lines: Counter[tuple[int, Frame]] = Counter()
    for sample, weight in zip(samples, weights, strict=True):
        frame = culprit(resolve(sample.holder))
        if sample.syscall == GIL and sample.holder_id and frame is not None:
            held[sample.holder_id] += weight
            lines[sample.holder_id, frame] += weight
    if not held:
        return None, ""
    thread_id = held.most_common(1)[0][0]
    frame = next(frame for (number, frame), _ in lines.most_common() if number == thread_id)
    name = next((one.holder_name for one in samples if one.holder_id == thread_id and one.holder_name), "")
    return frame, name
