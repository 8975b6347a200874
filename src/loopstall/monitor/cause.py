"""Why a stall happened, from differences of counters over it: pure rules with named thresholds.

The shares were found by experiment on 2-core Linux machines; each verdict carries the rule that made it, so that a
reader can disagree.
"""

from loopstall.clock import NS_PER_MS
from loopstall.records import Evidence

__all__ = ["classify"]

_GC_SHARE = 0.5
_OTHERS_SHARE = 0.5  # of the window, by other threads: they may have held the GIL
_STARVED_SHARE = 0.15  # the watchdog needs the GIL as well: it being late says that somebody kept it
_DELAY_SHARE = 0.4  # of the window, ready to run and without a CPU
_DELAY_OF_OWN = 0.6  # a thread that mostly ran is not descheduled, however busy the machine
_CPU_SHARE = 0.5
_NATIVE_STARVED_NS = 13 * NS_PER_MS // 2  # a Python thread gives the GIL up after 5 ms when asked; C code does not
_NATIVE_STARVED_SHARE = 0.35
_FUTEX = "futex"


def classify(evidence: Evidence) -> tuple[str, str]:
    """Chooses the cause of a stall.

    Args:
        evidence: the counters over the stall.

    Returns:
        The cause, and the rule that chose it with the measured values.
    """
    return _not_its_own(evidence) or _its_own(evidence)


def _not_its_own(evidence: Evidence) -> tuple[str, str] | None:
    """Recognises what other threads, the collector or the machine did."""
    window = max(1, evidence.window_ns)
    own, others = evidence.own_cpu_ns / window, evidence.other_cpu_ns / window
    starved = evidence.starved_ns / window
    if evidence.gc_ns / window >= _GC_SHARE:
        return "gc", f"garbage collection took {evidence.gc_ns / window:.0%} of the time"
    if others >= _OTHERS_SHARE and own < _CPU_SHARE and (starved >= _STARVED_SHARE or _FUTEX in evidence.syscalls):
        seen = f"the watchdog starved {starved:.0%} of it" if starved >= _STARVED_SHARE else "the loop waited in futex"
        return "gil-wait", f"other threads computed {others:.0%} of the time, the loop {own:.0%}, and {seen}"
    delay = 0.0 if evidence.run_delay_ns is None else evidence.run_delay_ns / window
    if delay >= _DELAY_SHARE and delay >= _DELAY_OF_OWN * own:
        return "descheduled", f"ready to run without a CPU for {delay:.0%} of the time, computing for {own:.0%}"
    return None


def _its_own(evidence: Evidence) -> tuple[str, str]:
    """Tells what the loop's thread itself did: compute, in Python or in C, or wait."""
    window = max(1, evidence.window_ns)
    own, starved = evidence.own_cpu_ns / window, evidence.starved_ns / window
    if own >= _CPU_SHARE:
        computed = f"the loop's thread computed {own:.0%} of the time"
        if evidence.starved_ns > _NATIVE_STARVED_NS and starved >= _NATIVE_STARVED_SHARE:
            return "cpu-native", f"{computed} and kept the GIL from the watchdog for {starved:.0%} of it"
        return "cpu-python", f"{computed} and gave the GIL up when asked"
    if evidence.run_delay_ns is None and not evidence.syscalls:
        return "unknown", f"the loop's thread computed {own:.0%} of the time, and the system tells no more"
    seen = f", seen in {', '.join(evidence.syscalls)}" if evidence.syscalls else ""
    return "blocking-call", f"the loop's thread computed {own:.0%} of the time and had a CPU{seen}"
