"""Makes a stall of samples and counters: pure functions, which a test can call with samples made by hand.

Hands on ``stall_of``, which the monitor calls when a span of work over the threshold has ended. It knows nothing of
loops, threads and clocks: what was read of them is in its arguments.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loopstall.monitor.blame import blamed, named
from loopstall.monitor.cause import classify, of_longest_part
from loopstall.monitor.counters import CounterReading
from loopstall.monitor.looks import holder_of, weights_of, with_shares
from loopstall.monitor.parts import divided, parts_of
from loopstall.monitor.samples import Sample, ThreadView
from loopstall.monitor.stack import interrupts_wait, resolve, resolve_all
from loopstall.monitor.syscalls import GIL, READY, RUNNING
from loopstall.records import Evidence, Frame, StackSample, Stall
from loopstall.records.clock import NS_PER_MS
from loopstall.records.frames import culprit

__all__ = ["StalledSpan", "stall_of"]

_GLIMPSES = 8  # of one stall that are kept
_LATE_NS = NS_PER_MS * 2 // 5  # for an answer: what the watchdog itself takes while it looks is less
_MOST = 0.5
_PROMPT_NS = NS_PER_MS  # for the watchdog to get the GIL: less than anybody keeps it who computes in Python
_ABLE_SHARE = 0.6  # of the stall, that whoever held the GIL has computed
_RANK = {GIL: 3, READY: 2, RUNNING: 0}
"""The rank of a thread as the holder of the GIL, by its state afterwards; waiting for anything else: 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledSpan:
    """A span of work that was a stall, all times in ns of one clock, and what was read at its end.

    ``watched_since_ns`` is what the stall's start is counted from; ``overran_ns``, how much later than asked for the
    loop came back from waiting for events; ``look_due_ns``, when the watchdog was last told to look; ``looking_ns``,
    the CPU time of its looks; ``throttled_ns``, for how long a CPU quota has stopped the process since the stall
    before; ``gil``, whether the interpreter has one; ``outside``, whether the samples were taken from outside.
    """

    start_ns: int
    end_ns: int
    threshold_ns: int
    watched_since_ns: int = 0
    overran_ns: int = 0
    look_due_ns: int = 0
    looking_ns: int = 0
    throttled_ns: int = 0
    gil: bool = True
    outside: bool = False

    @property
    def length_ns(self) -> int:
        """The length of the span."""
        return self.end_ns - self.start_ns


def stall_of(
    span: StalledSpan,
    samples: Sequence[Sample],
    views: Sequence[ThreadView],
    before: CounterReading,
    after: CounterReading,
    *,
    on_return: Sequence[Sample] = (),
    look_beside: Callable[[], Sequence[ThreadView]] = tuple,
) -> Stall:
    """Makes a stall of what was seen while it lasted, with its cause.

    Args:
        span: when it was.
        samples: of the loop's thread, in the order of time.
        views: of the threads beside it.
        before: the counters shortly before it.
        after: the counters at its end.
        on_return: samples that the loop's thread took itself when it came back late from waiting for events.
        look_beside: returns the threads as they are now; asked where one held the GIL, and none was seen meanwhile.
    """
    within = [sample for sample in samples if span.start_ns <= sample.at_ns <= span.end_ns + NS_PER_MS]
    within_stacks = resolve_all(sample.stack for sample in within)
    evidence, weights = _weighed(span, within, before, after)
    cause, rule = _cause(evidence, within, within_stacks, weights)
    holder, thread = None, ""
    if cause == "gil-wait" and span.outside:
        holder, thread = holder_of(within, weights)
    elif cause == "gil-wait":
        holder, thread = _holder(_within(span, views) or look_beside(), span.length_ns)
    by_time = bool(within) and span.outside
    seen = within if by_time else [*on_return, *within]
    stacks = within_stacks if by_time else [*resolve_all(sample.stack for sample in on_return), *within_stacks]
    parts = parts_of(within, within_stacks, weights)
    longest = parts[0].culprit if parts and by_time else None  # it is to blame, however many functions it is in
    worst = longest or blamed(stacks, weights if by_time else [1] * len(seen))
    return Stall(
        start_ns=span.start_ns - span.watched_since_ns,
        duration_ns=span.length_ns,
        cause=cause,
        rule=rule,
        culprit=worst,
        stack=next((stack for stack in stacks if culprit(stack) == worst), ()),
        **named(seen, stacks, worst),
        glimpses=_glimpses(seen, stacks, span.start_ns),
        holder=holder,
        holder_thread=thread,
        evidence=evidence,
        parts=parts,
    )


def _weighed(
    span: StalledSpan, samples: list[Sample], before: CounterReading, after: CounterReading
) -> tuple[Evidence, list[int]]:
    """Returns evidence with how the time divides where looks from outside tell, and how much each sample stands for."""
    evidence = _evidence(span, samples, before, after)
    if not span.outside:
        return evidence, weights_of(samples, span.start_ns, span.end_ns)
    back_ns = span.start_ns + evidence.overran_ns
    if any(sample.at_ns < back_ns and interrupts_wait(sample.stack) for sample in samples):  # in a handler of signals
        evidence, back_ns = replace(evidence, overran_ns=0), span.start_ns
    unseen = not any(sample.at_ns < back_ns for sample in samples)  # nobody looked before the loop came back
    weights = weights_of(samples, back_ns if unseen else span.start_ns, span.end_ns)
    told = [
        replace(sample, syscall=READY) if sample.at_ns < back_ns and sample.syscall != GIL else sample
        for sample in samples
    ]  # the loop should have been back: whatever its wait looks like, it wants a CPU
    shared = with_shares(evidence, told, weights, back_ns=back_ns)
    return (shared if before.schedstat or not samples else _with_delay_so_far(shared, after)), weights


def _with_delay_so_far(evidence: Evidence, after: CounterReading) -> Evidence:
    """Returns evidence with a run delay where the one before the stall was not read.

    All that a thread has had so far says no more than what neither its CPU time nor the looks explain.
    """
    if after.run_delay_ns is None:
        return evidence
    explained_ns = evidence.own_cpu_ns + evidence.waiting_ns + evidence.gil_ns
    return replace(evidence, run_delay_ns=max(0, min(after.run_delay_ns, evidence.duration_ns - explained_ns)))


def _cause(
    evidence: Evidence, samples: Sequence[Sample], stacks: Sequence[tuple[Frame, ...]], weights: Sequence[int]
) -> tuple[str, str]:
    """Returns the cause of a stall and its rule: of several callbacks that were looked at, that of the longest one."""
    found = classify(evidence)
    longest = next(iter(divided(samples, stacks, weights)), []) if evidence.outside else []
    if not longest:
        return found
    part = with_shares(evidence, [samples[at] for at in longest], [weights[at] for at in longest])
    return of_longest_part(*found, part, len(longest))


def _within(span: StalledSpan, views: Sequence[ThreadView]) -> list[ThreadView]:
    return [view for view in views if span.start_ns <= view.at_ns <= span.end_ns + NS_PER_MS]


def _evidence(span: StalledSpan, samples: list[Sample], before: CounterReading, after: CounterReading) -> Evidence:
    """Returns what the cause is judged by: differences of the counters, and how the looks and questions fared."""
    own_ns = after.own_cpu_ns - before.own_cpu_ns
    delay_ns = None
    if after.run_delay_ns is not None and before.run_delay_ns is not None:
        delay_ns = after.run_delay_ns - before.run_delay_ns
    looks = [sample for sample in samples if not sample.by_signal]
    answers = [sample for sample in samples if sample.by_signal]
    waits = _waits(answers)
    return Evidence(
        duration_ns=span.length_ns,
        threshold_ns=span.threshold_ns,
        window_ns=after.at_ns - before.at_ns,
        own_cpu_ns=own_ns,
        other_cpu_ns=max(0, after.process_cpu_ns - before.process_cpu_ns - own_ns - span.looking_ns),
        run_delay_ns=delay_ns,
        throttled_ns=min(span.throttled_ns, span.length_ns),
        gc_ns=after.gc_ns - before.gc_ns,
        overran_ns=0 if any(look.in_wait for look in looks) else span.overran_ns,
        starved_ns=_starved_ns(looks, max(span.look_due_ns, span.start_ns), span.end_ns),
        asked=len(waits),
        late=sum(wait > _LATE_NS or one.in_c for wait, one in zip(waits, answers, strict=True)),
        unanswered_ns=sum(waits),
        looks=len(looks),
        in_c=sum(look.in_c for look in looks),
        free=sum(span.gil and s.syscall == RUNNING and s.at_ns - s.asked_ns < _PROMPT_NS for s in looks),
        still=sum(look.still for look in looks),
        gil=span.gil,
        syscalls=tuple(look.syscall for look in looks if _says_something(look, span.length_ns)),
    )


def _says_something(look: Sample, length_ns: int) -> bool:
    """Says whether a look tells what the loop waited for during a stall of a length.

    That it waits for the GIL, one that came promptly does not: it may be the watchdog itself that has it. What else it
    waits for, one that was kept out for most of the stall does not: it met what came after.
    """
    late_ns = look.at_ns - look.asked_ns
    if look.syscall == GIL:
        return late_ns >= _PROMPT_NS
    return look.syscall not in {"", RUNNING} and late_ns < length_ns * _MOST


def _starved_ns(looks: list[Sample], asked_ns: int, end: int) -> int:
    """Returns the longest time in ns that the watchdog was kept from a look, the one still due at the end included."""
    pending_ns = end - asked_ns if not looks or asked_ns > looks[-1].at_ns else 0
    return max(0, pending_ns, *(look.at_ns - look.asked_ns for look in looks))


def _waits(answers: list[Sample]) -> list[int]:
    """Returns for how long each question waited for its answer in ns, overlaps counted once."""
    waits: list[int] = []
    answered = 0
    for sample in answers:
        waits.append(max(0, sample.at_ns - max(sample.asked_ns, answered)))
        answered = sample.at_ns
    return waits


def _holder(views: Sequence[ThreadView], length_ns: int) -> tuple[Frame | None, str]:
    """Chooses who held the GIL: of the threads that computed, best one that wants it back, and none that has no need.

    It is taken where it had computed for longest since the look before: there it gave the GIL up. What a thread has
    computed before the stall does not count: none can have used more than its length.
    """
    used: Counter[str] = Counter()
    rank: Counter[str] = Counter()
    for view in views:
        used[view.name] = min(length_ns, used[view.name] + view.cpu_ns)
        rank[view.name] = max(rank[view.name], _RANK.get(view.state, 1))
    able = [view for view in views if used[view.name] >= length_ns * _ABLE_SHARE] or views
    chosen = max(able, key=lambda view: (rank[view.name], used[view.name], view.cpu_ns), default=None)
    return (culprit(resolve(chosen.stack)), chosen.name) if chosen is not None else (None, "")


def _glimpses(samples: list[Sample], stacks: list[tuple[Frame, ...]], start: int) -> tuple[StackSample, ...]:
    """Returns where the loop's thread was seen, a bounded number of times, evenly over the stall."""
    every = max(1, -(-len(samples) // _GLIMPSES))
    return tuple(
        StackSample(at_ns=sample.at_ns - start, culprit=culprit(stack), state=sample.syscall)
        for sample, stack in zip(samples[::every], stacks[::every], strict=True)
    )
