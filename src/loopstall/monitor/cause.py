"""The cause of a stall, from differences of counters over it: pure rules with named thresholds.

The shares were found by experiment on 2-core Linux machines; each verdict carries the rule that made it, so that a
reader can disagree.
"""

from loopstall.monitor.syscalls import GIL
from loopstall.records import Evidence
from loopstall.records.clock import NS_PER_MS

__all__ = ["classify", "of_longest_part"]

_GC_SHARE = 0.5
_OTHERS_SHARE = 0.5  # of the time, by other threads: they may have held the GIL
_STARVED_SHARE = 0.15  # the watchdog needs the GIL as well: it being late says that somebody kept it
_SOME_OTHERS_SHARE = 0.1  # the same, where neither the watchdog nor a question got through: they may lack a CPU as well
_THROUGHOUT_SHARE = 0.9
_UNANSWERED_SHARE = 0.5  # of the time, by a thread that did not compute itself
_OVERRAN_SHARE = 0.5  # of the time, the loop was coming back from its wait for events
_DELAY_THAT_TELLS = 0.2  # of the time, where the rest of it would have been no stall
_DELAY_SHARE = 0.4  # of the time, ready to run and without a CPU
_CPU_SHARE = 0.5
_LATE_SHARE = 0.5  # of the questions, that came in the middle of a C call
_FEW_LOOKS = 2  # at code in Python that may have met a callback by chance
_STOPPED_SHARE = 0.15  # of a stall, from which on looks at a thread that stands still say nothing
_NATIVE_STARVED_NS = 13 * NS_PER_MS // 2  # a Python thread gives the GIL up after 5 ms when asked; C code does not
_NATIVE_STARVED_SHARE = 0.35

_DID = {
    "blocking-call": "waited", "cpu-python": "took steps of Python", "cpu-native": "computed without a step of Python",
}  # fmt: skip


def classify(evidence: Evidence) -> tuple[str, str]:
    """Chooses the cause of a stall.

    Args:
        evidence: the counters over the stall.

    Returns:
        The cause, and the rule that chose it with the measured values.
    """
    found = _shortage(evidence) or _collector(evidence)
    if found:
        return found
    if evidence.outside:
        return _proved(evidence)
    return _other_threads(evidence) or _machine(evidence) or _its_own(evidence)


def of_longest_part(cause: str, rule: str, part: Evidence, looks: int) -> tuple[str, str]:
    """Chooses the cause of a turn of several callbacks: what the longest of them did, which is the one to mend.

    Args:
        cause: of the whole turn.
        rule: that chose it.
        part: evidence with the shares of the looks at that callback.
        looks: how many there were.

    Returns:
        The cause, and the rule that chose it: those of the turn where the looks at the callback do not tell.
    """
    if cause not in {"blocking-call", "cpu-python", "cpu-native", "cpu"} or looks < _FEW_LOOKS:
        return cause, rule
    shares = {"blocking-call": part.waiting_ns, "cpu-python": part.python_ns, "cpu-native": part.native_ns}
    most = max(shares, key=lambda name: shares[name])
    looked_ns = sum(shares.values()) + part.gil_ns
    if most == cause or shares[most] <= looked_ns / 2:
        return cause, rule
    return most, f"{_DID[most]} in {shares[most] / looked_ns:.0%} of the time of its longest callback"


def _collector(evidence: Evidence) -> tuple[str, str] | None:
    """Recognises garbage collection; what it had no CPU for is not its own.

    Without a GIL a collection stops all threads, whichever it runs in; with one, who waits for it waits for the GIL.
    """
    share = evidence.gc_ns / _length_ns(evidence)
    computed_ns = evidence.own_cpu_ns if evidence.gil else evidence.own_cpu_ns + evidence.other_cpu_ns
    if share < _GC_SHARE or computed_ns < _GC_SHARE * (evidence.gc_ns - evidence.waited_cpu_ns):
        return None
    return "gc", f"garbage collection took {share:.0%} of the time"


def _other_threads(evidence: Evidence) -> tuple[str, str] | None:
    """Recognises a thread of this process that kept the GIL."""
    if not evidence.gil:
        return None
    length = _length_ns(evidence)
    own, others = evidence.own_cpu_ns / length, evidence.other_cpu_ns / length
    kept = _kept(evidence)
    if own < _CPU_SHARE and others >= _OTHERS_SHARE and kept:
        return "gil-wait", f"other threads computed {others:.0%} of the time and the loop {own:.0%}; {kept}"
    shut_out = min(evidence.starved_ns, evidence.unanswered_ns) / length
    if own < _SOME_OTHERS_SHARE <= others and shut_out >= _THROUGHOUT_SHARE and not evidence.looks:
        return (
            "gil-wait",
            f"other threads computed {others:.0%} of the time, and kept the GIL from all others for {shut_out:.0%}",
        )
    return None


def _machine(evidence: Evidence) -> tuple[str, str] | None:
    """Recognises that the CPU went to someone else."""
    length = _length_ns(evidence)
    own, others = evidence.own_cpu_ns / length, evidence.other_cpu_ns / length
    overran, starved = evidence.overran_ns / length, evidence.starved_ns / length
    free_to_run = not evidence.gil or (others < _SOME_OTHERS_SHARE and starved < _OVERRAN_SHARE)
    if overran >= _OVERRAN_SHARE and own < _SOME_OTHERS_SHARE and free_to_run:
        why = "no thread here computed" if evidence.gil else "no other thread keeps it from running"
        return "descheduled", f"came back from its wait for events {overran:.0%} late, and {why}"
    delay = evidence.waited_cpu_ns / length
    if delay >= _DELAY_SHARE:
        return "descheduled", f"ready to run without a CPU for {delay:.0%} of the time, computing for {own:.0%}"
    return None


def _shortage(evidence: Evidence) -> tuple[str, str] | None:
    """Recognises a stall that only the want of a CPU made one."""
    if _kept_by_another(evidence):
        return None
    length, late_ns = _length_ns(evidence), _late_wake_ns(evidence)
    waited_cpu_ns = _waited_cpu_ns(evidence)
    delay_ns = max(waited_cpu_ns, late_ns + min(evidence.ready_ns, _told_of_rest_ns(evidence, late_ns)))
    if delay_ns < _DELAY_THAT_TELLS * length or evidence.duration_ns - delay_ns > evidence.threshold_ns:
        return None
    share, why = delay_ns / length, "others had the CPU"
    if evidence.throttled_ns > delay_ns / 2:
        why = "the CPU quota"
    if delay_ns > waited_cpu_ns and late_ns:
        share = delay_ns / evidence.duration_ns
        why = f"came back from its wait for events {late_ns / evidence.duration_ns:.0%} late"
    return "descheduled", (
        f"ready to run without a CPU for {share:.0%} of the time ({why}); "
        f"without that wait it would have stayed below the threshold"
    )


def _kept_by_another(evidence: Evidence) -> bool:
    """Returns whether another thread here computed and had the GIL: with a CPU the loop would not have run either."""
    looked_ns = evidence.gil_ns + evidence.python_ns + evidence.native_ns + evidence.waiting_ns
    return evidence.gil_ns > looked_ns / 2 and evidence.other_cpu_ns >= _OTHERS_SHARE * _length_ns(evidence)


def _waited_cpu_ns(evidence: Evidence) -> int:
    """Returns for how long the thread had no CPU: not while it was seen waiting, unless that is told for sure."""
    unseen_ns = evidence.duration_ns - evidence.own_cpu_ns - evidence.waiting_ns
    return min(evidence.waited_cpu_ns, max(_told_for_sure_ns(evidence), unseen_ns, 0))


def _told_for_sure_ns(evidence: Evidence) -> int:
    """Returns how much of the want of a CPU that is told cannot have been before the stall; 0 or less for none."""
    before_ns = max(0, evidence.window_ns - evidence.duration_ns)
    return (evidence.run_delay_ns or 0) + evidence.throttled_ns - before_ns


def _told_of_rest_ns(evidence: Evidence, late_ns: int) -> int:
    """Returns how much of a want of a CPU the system tells that is no part of what it tells for sure of other times.

    What a late end of the wait for events took is told as a want of a CPU or,
    where the host of a virtual machine has stopped it, as CPU time, of which looks then see too little.
    """
    told_ns = _told_for_sure_ns(evidence)
    charged_ns = evidence.own_cpu_ns - evidence.python_ns - evidence.native_ns
    return max(0, told_ns if charged_ns >= late_ns / 2 else told_ns - late_ns)


def _late_wake_ns(evidence: Evidence) -> int:
    """Returns by how much the machine let the loop wait for events for too long; 0 where something here kept it.

    Nothing of the program's can lengthen that wait but a handler of signals, which a look would meet (evidence then has
    no such wait), and another thread that keeps the GIL. CPU time says little: a virtual machine that the host has
    stopped charges the thread for it.
    """
    late_ns = min(evidence.overran_ns, evidence.duration_ns)
    if (
        not evidence.outside
        or evidence.gil_ns
        or (evidence.gil and evidence.other_cpu_ns >= _SOME_OTHERS_SHARE * late_ns)
    ):
        return 0
    within_ns = evidence.own_cpu_ns - max(0, evidence.window_ns - evidence.duration_ns)
    if not evidence.looks and within_ns >= _CPU_SHARE * late_ns:  # a handler that nobody has looked at
        return 0
    return late_ns


def _proved(evidence: Evidence) -> tuple[str, str]:
    """Chooses by what looks from outside saw, of the part of the stall that is not a want of CPU."""
    looked_ns = evidence.python_ns + evidence.native_ns + evidence.gil_ns + evidence.waiting_ns
    own = evidence.own_cpu_ns / max(1, _length_ns(evidence) - evidence.waited_cpu_ns)
    if evidence.gil_ns > looked_ns / 2:
        return "gil-wait", f"waited for the GIL in {evidence.gil_ns / looked_ns:.0%} of the samples"
    if own >= _CPU_SHARE:
        return _computed(evidence, f"the loop's thread computed {own:.0%} of the time that it had a CPU")
    if evidence.gil_ns > evidence.waiting_ns:  # it had no CPU, or hardly any, while it was not seen waiting
        return "gil-wait", f"waited for the GIL in most of the time that it computed nothing, {own:.0%} of it computing"
    if not looked_ns or (GIL in evidence.syscalls and not evidence.waiting_ns):
        return _unseen(evidence, own)
    seen = _in_calls(evidence)
    return "blocking-call", f"the loop's thread computed {own:.0%} of the time and had a CPU{seen and f', seen{seen}'}"


def _in_calls(evidence: Evidence) -> str:
    """Returns the calls in which the loop's thread was seen waiting, "" for none."""
    seen = ", ".join(dict.fromkeys(name for name in evidence.syscalls if name != GIL))
    return f" in {seen}" if seen else ""


def _computed(evidence: Evidence, computed: str) -> tuple[str, str]:
    """Tells Python code from native code by whether the thread took steps while it was looked at and had a CPU."""
    looked_ns = evidence.python_ns + evidence.native_ns
    if not looked_ns and evidence.waiting_ns:
        return "blocking-call", f"{computed}, where it was seen{_in_calls(evidence)}: in the kernel"
    if not looked_ns:
        return "cpu", f"{computed}; no sample tells whether in Python or in C"
    share = evidence.native_ns / looked_ns
    if share > _CPU_SHARE and _stopped_ns(evidence) >= _STOPPED_SHARE * _length_ns(evidence):
        return "cpu", f"{computed}; something has stopped it as well, so that steps of Python may have been missed"
    return (
        "cpu-native" if share > _CPU_SHARE else "cpu-python",
        f"{computed}, {share:.0%} of it without a step of Python",
    )


def _stopped_ns(evidence: Evidence) -> int:
    """Returns for how long the thread neither computed nor waited for anything, a CPU included.

    So it seems where the host stops the CPU of a virtual machine; a look at that time sees a thread that stands still.
    """
    known_ns = evidence.own_cpu_ns + evidence.waited_cpu_ns + evidence.waiting_ns + evidence.gil_ns
    return _length_ns(evidence) - known_ns


def _unseen(evidence: Evidence, own: float) -> tuple[str, str]:
    """Chooses by the counters, where the thread did not compute and nobody saw it waiting for anything else."""
    length = _length_ns(evidence)
    overran, others = evidence.overran_ns / length, evidence.other_cpu_ns / length
    if overran >= _OVERRAN_SHARE and evidence.gil and others >= _OTHERS_SHARE:
        return "gil-wait", f"came back from its wait for events {overran:.0%} late while other threads computed"
    if GIL in evidence.syscalls and evidence.gil and others >= _OTHERS_SHARE:
        return "gil-wait", f"was seen waiting for the GIL, and other threads computed {others:.0%} of the time"
    if overran >= _OVERRAN_SHARE and (not evidence.gil or others < _SOME_OTHERS_SHARE):
        return "descheduled", f"came back from its wait for events {overran:.0%} late, and no thread here computed"
    if not (evidence.looks or evidence.starved_ns) and others < _SOME_OTHERS_SHARE:  # nobody was there yet
        return "blocking-call", f"the loop's thread computed {own:.0%} of the time, and no sample was taken yet"
    return (
        "unknown",
        f"the loop's thread computed {own:.0%} of the time, others {others:.0%}, and no sample met it waiting",
    )


def _kept(evidence: Evidence) -> str:  # noqa: PLR0911  # a list of signs
    """Returns the sign that a thread kept the GIL, "" where none did."""
    length = _length_ns(evidence)
    if evidence.overran_ns / length >= _OVERRAN_SHARE:
        return f"coming back from its wait for events took it {evidence.overran_ns / length:.0%}"
    for_gil = evidence.syscalls.count(GIL)
    waits = len(evidence.syscalls) - for_gil
    shut_out = evidence.starved_ns >= _UNANSWERED_SHARE * length
    if (shut_out or not waits) and evidence.unanswered_ns >= _UNANSWERED_SHARE * length:
        return f"a request for its stack went unanswered for {evidence.unanswered_ns / length:.0%}"
    elsewhere = waits + evidence.free
    if elsewhere and for_gil <= elsewhere:  # it was seen doing something else
        return ""
    if for_gil:
        return f"it was seen waiting for the GIL {for_gil} times of {evidence.looks}"
    if evidence.starved_ns >= _STARVED_SHARE * length:
        return f"the watchdog starved {evidence.starved_ns / length:.0%}"
    if evidence.unanswered_ns >= _STARVED_SHARE * length:
        return f"a request for its stack went unanswered for {evidence.unanswered_ns / length:.0%}"
    return ""


def _length_ns(evidence: Evidence) -> int:
    """Returns what shares are taken of; the counters may begin before the stall, and now and then within it."""
    return max(1, min(evidence.duration_ns, evidence.window_ns))


def _its_own(evidence: Evidence) -> tuple[str, str]:
    """Recognises the work of the loop's thread itself: it computed, in Python or in C, or it waited."""
    length = _length_ns(evidence)
    own = evidence.own_cpu_ns / length
    if own >= _CPU_SHARE:
        computed = f"the loop's thread computed {own:.0%} of the time"
        native = _native(evidence)
        return ("cpu-native", f"{computed} and {native}") if native else ("cpu-python", f"{computed} in Python")
    if evidence.run_delay_ns is None and not evidence.syscalls:
        return "unknown", f"the loop's thread computed {own:.0%} of the time, and the system tells no more"
    others, kept = evidence.other_cpu_ns / length, _kept(evidence)
    if evidence.gil and others >= _SOME_OTHERS_SHARE and kept and not set(evidence.syscalls) - {GIL}:
        return "unknown", f"the loop's thread computed {own:.0%} of the time, others {others:.0%}; {kept}"
    seen = _in_calls(evidence)
    return "blocking-call", f"the loop's thread computed {own:.0%} of the time and had a CPU{seen and f', seen{seen}'}"


def _native(evidence: Evidence) -> str:
    """Returns the sign that C code computed, "" where it was Python's.

    The watchdog looks while it has the GIL: a thread that computes meanwhile is in C and has given the GIL up. Without
    one it looks at any time, and sees whether the thread takes a step.
    """
    if evidence.still > evidence.looks / 2:
        return f"{evidence.still} times of {evidence.looks} in the middle of a C call"
    if not evidence.gil:
        return "" if evidence.looks else _unanswered(evidence)
    if evidence.asked and evidence.late > evidence.asked * _LATE_SHARE:
        return f"was in a C call {evidence.late} times of {evidence.asked} when it was asked"
    if evidence.in_c > max(evidence.looks / 2, _FEW_LOOKS if evidence.asked else 0):
        return f"{evidence.in_c} times of {evidence.looks} in a C call that ran our own code"
    return "" if evidence.asked else _free_or_starving(evidence)


def _unanswered(evidence: Evidence) -> str:
    """Describes questions that went unanswered while the watchdog could not look.

    It asks them, so that it lacked a CPU: that some were late says nothing.
    """
    share = evidence.unanswered_ns / _length_ns(evidence)
    return f"left a request for its stack unanswered for {share:.0%}" if share >= _UNANSWERED_SHARE else ""


def _free_or_starving(evidence: Evidence) -> str:
    """Says what the GIL shows about C code: that it was free while the thread computed, or kept for long."""
    if evidence.free > evidence.looks / 2:
        return f"{evidence.free} times of {evidence.looks} in C that had given up the GIL"
    share = evidence.starved_ns / _length_ns(evidence)
    if evidence.starved_ns > _NATIVE_STARVED_NS and share >= _NATIVE_STARVED_SHARE:
        return f"kept the GIL from the watchdog for {share:.0%} of it"
    return ""
