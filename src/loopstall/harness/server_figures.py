"""Sums up what the clients of a server saw.

The light requests are to a server what the heartbeat is to a loop: how long one waits is the lag, and a time in which
one that was due had to wait for longer than the threshold is a stall. The heavy requests are the jobs. It hands on the
figures of a run, starts nothing, and knows neither server nor socket.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loopstall.harness.client import Answer
from loopstall.harness.gauge import Flow
from loopstall.monitor import StallLog
from loopstall.monitor.series import Peaks, Tally
from loopstall.records import DESCHEDULED, Burst, Histogram, Load, Measured, Series, Stall
from loopstall.records.clock import NS_PER_S
from loopstall.stats import histogram

__all__ = ["Observed", "sum_up"]

_STALLS = 100  # kept in full
_FAULTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The figures of a server under load.

    Args:
        answers: of every request.
        stalls: that the server's own loops reported while the load lasted; none where it has no loops.
        bursts: by turns, the heavy requests of each turn and the sum of their response times; else none.
        started_ns: when the load began, on the clock of ``now_ns``.
        began_at: the same in seconds since 1970, UTC.
        wall_ns: how long it lasted, without the other side's turns.
        setup_ns: what the workload's context took.
        priming_ns: what the server took to start.
        children_cpu_ns: of the server's processes, while the load lasted.
        peak_memory_bytes: of them.
    """

    answers: Sequence[Answer]
    stalls: Sequence[Stall]
    bursts: tuple[Burst, ...] = ()
    started_ns: int
    began_at: float
    wall_ns: int
    setup_ns: int
    priming_ns: int
    children_cpu_ns: int
    peak_memory_bytes: int


def sum_up(seen: Observed, load: Load, *, threshold_ns: int) -> Measured:
    """Returns the figures of a run.

    Args:
        seen: what happened.
        load: how requests came.
        threshold_ns: from when on a light request has waited too long.
    """
    spans = list(_waiting(seen.answers, threshold_ns))
    stall_log = StallLog(_STALLS)
    for stall in seen.stalls or [_from_outside(begin, end) for begin, end in spans]:
        stall_log.add(replace(stall, start_ns=stall.start_ns - seen.started_ns))
    light, heavy = ([one for one in seen.answers if one.heavy == wanted and not one.error] for wanted in (False, True))
    lag = [one.end_ns - one.due_ns for one in light]
    flow = Flow()
    for one in (*light, *heavy):
        flow.add(one.due_ns - seen.started_ns, one.end_ns - seen.started_ns)
    return Measured(
        jobs=len(heavy),
        wall_ns=seen.wall_ns,
        service=_histogram([one.end_ns - one.sent_ns for one in heavy]),
        response=_histogram([one.end_ns - one.due_ns for one in heavy]),
        lag=_histogram(lag),
        lag_uncorrected=_histogram([one.end_ns - one.sent_ns for one in light]),
        response_series=_series(heavy, seen.started_ns),
        lag_series=_series(light, seen.started_ns),
        stalls=tuple(stall_log),
        stall_count=stall_log.count,
        stalled_ns=min(seen.wall_ns, sum(end - begin for begin, end in spans)),
        threshold_ns=threshold_ns,
        interval_ns=int(NS_PER_S / (load.rate or 1.0)),
        setup_ns=seen.setup_ns,
        priming_ns=seen.priming_ns,
        cpu_user_ns=0,
        cpu_system_ns=0,
        children_cpu_ns=seen.children_cpu_ns,
        peak_memory_bytes=seen.peak_memory_bytes,
        switches_voluntary=0,
        switches_involuntary=0,
        descheduled_ns=min(stall_log.ns_by_cause[DESCHEDULED], seen.wall_ns),
        light=len(light),
        errors=sum(bool(one.error) for one in seen.answers),
        bursts=seen.bursts,
        began_at=seen.began_at,
        in_flight=flow.course(),
        faults=tuple(dict.fromkeys(one.error for one in seen.answers if one.error))[:_FAULTS],
    )


def _waiting(answers: Sequence[Answer], threshold_ns: int) -> Iterator[tuple[int, int]]:
    """Yields the spans in ns in which a light request that was due had to wait for longer than a threshold."""
    spans = sorted(
        (one.due_ns, one.end_ns) for one in answers if not one.heavy and one.end_ns - one.due_ns > threshold_ns
    )
    begin = end = 0
    for due_ns, end_ns in spans:
        if due_ns > end:
            if end:
                yield begin, end
            begin = due_ns
        end = max(end, end_ns)
    if end:
        yield begin, end


def _from_outside(begin: int, end: int) -> Stall:
    """Returns a stall of a server that has no loop to look into."""
    return Stall(
        start_ns=begin,
        duration_ns=end - begin,
        cause="unknown",
        rule="light requests that were due in this time had to wait; the server has no event loop to look into",
        label="GET /light",
    )


def _histogram(values: Sequence[int]) -> Histogram:
    tally = Tally()
    for value in values:
        tally.add(value)
    return histogram.from_counts(tally.counts())


def _series(answers: Sequence[Answer], started_ns: int) -> Series:
    peaks = Peaks()
    for one in answers:
        peaks.add(max(0, one.end_ns - started_ns), one.end_ns - one.due_ns)
    return peaks.series()
