from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor.cause import classify
from loopstall.records import Evidence

MS = 1_000_000


def evidence(**shares):
    """Evidence over 100 ms, so that a figure is a percentage as well."""
    known = {"own": 0, "others": 0, "delay": 0, "gc": 0, "starved": 0, "syscalls": (), **shares}
    return Evidence(
        window_ns=100 * MS,
        own_cpu_ns=known["own"] * MS,
        other_cpu_ns=known["others"] * MS,
        run_delay_ns=None if known["delay"] is None else known["delay"] * MS,
        gc_ns=known["gc"] * MS,
        starved_ns=known["starved"] * MS,
        syscalls=known["syscalls"],
    )


@pytest.mark.parametrize(
    ("cause", "shares"),
    [
        ("cpu-python", {"own": 98, "starved": 5}),
        ("cpu-python", {"own": 98, "others": 60}),
        ("cpu-native", {"own": 98, "starved": 95}),
        ("blocking-call", {"own": 1, "syscalls": ("clock_nanosleep",)}),
        ("blocking-call", {"own": 30, "syscalls": ("fsync",)}),
        ("blocking-call", {"own": 1, "others": 90}),
        ("gil-wait", {"own": 2, "others": 95, "starved": 20}),
        ("gil-wait", {"own": 2, "others": 95, "syscalls": ("futex",)}),
        ("gc", {"own": 98, "gc": 80, "starved": 95}),
        ("descheduled", {"own": 45, "delay": 55}),
        ("descheduled", {"own": 2, "delay": 95}),
        ("cpu-python", {"own": 90, "delay": 10}),
        ("unknown", {"own": 1, "delay": None}),
        ("cpu-python", {"own": 98, "delay": None}),
    ],
)
def test_cause_follows_from_the_counters(cause, shares):
    found, rule = classify(evidence(**shares))
    assert cause == found
    assert "%" in rule


def test_lock_wait_beside_a_thread_that_is_merely_busy_is_told_by_the_watchdog():
    waits = evidence(own=1, others=40, syscalls=("futex",))
    assert classify(waits)[0] == "blocking-call"


def test_short_native_call_below_two_switch_intervals_is_not_claimed():
    short = Evidence(window_ns=8 * MS, own_cpu_ns=8 * MS, other_cpu_ns=0, run_delay_ns=0, starved_ns=4 * MS)
    assert classify(short)[0] == "cpu-python"


TIME = st.integers(0, 10**12)


@given(TIME, TIME, TIME, st.none() | TIME, TIME, TIME)
def test_every_evidence_has_a_cause_and_a_rule(window, own, others, delay, gc, starved):
    found, rule = classify(
        Evidence(window_ns=window, own_cpu_ns=own, other_cpu_ns=others, run_delay_ns=delay, gc_ns=gc,
                 starved_ns=starved)
    )  # fmt: skip
    known = {"cpu-python", "cpu-native", "blocking-call", "gil-wait", "gc", "descheduled", "unknown"}
    assert found in known
    assert rule
