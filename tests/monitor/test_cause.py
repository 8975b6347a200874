from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor.cause import classify
from loopstall.monitor.syscalls import GIL
from loopstall.records import Evidence

MS = 1_000_000


def evidence(*, length=100, threshold=5, **known):
    """Evidence over 100 ms, unless said otherwise, so that a figure in ms is a percentage as well."""
    shares = {"own": 0, "others": 0, "delay": 0, "throttled": 0, "gc": 0, "overran": 0, "starved": 0, "unanswered": 0}
    shares |= {key: value for key, value in known.items() if key in shares}
    counts = {key: value for key, value in known.items() if key not in shares}
    return Evidence(
        duration_ns=length * MS,
        threshold_ns=threshold * MS,
        window_ns=length * MS,
        own_cpu_ns=shares["own"] * MS,
        other_cpu_ns=shares["others"] * MS,
        run_delay_ns=None if shares["delay"] is None else shares["delay"] * MS,
        throttled_ns=shares["throttled"] * MS,
        gc_ns=shares["gc"] * MS,
        overran_ns=shares["overran"] * MS,
        starved_ns=shares["starved"] * MS,
        unanswered_ns=shares["unanswered"] * MS,
        **counts,
    )


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        ("cpu-python", {"own": 98, "starved": 5, "asked": 4}),
        ("cpu-python", {"own": 98, "others": 60}),
        ("cpu-python", {"own": 98, "asked": 4, "late": 1, "looks": 3, "syscalls": (GIL,)}),
        ("cpu-native", {"own": 98, "starved": 95, "asked": 1, "late": 1}),
        ("cpu-native", {"own": 98, "starved": 95}),
        ("cpu-native", {"own": 99, "asked": 22, "late": 9, "looks": 16, "in_c": 16}),  # it answers in between: re
        ("cpu-python", {"own": 99, "asked": 4, "late": 1, "looks": 2, "in_c": 2}),  # met a handler by chance
        ("cpu-native", {"own": 98, "looks": 4, "free": 3}),
        ("blocking-call", {"own": 1, "syscalls": ("clock_nanosleep",)}),
        ("blocking-call", {"own": 30, "syscalls": ("fsync", GIL)}),
        ("blocking-call", {"own": 1, "others": 90}),
        ("gil-wait", {"own": 2, "others": 95, "starved": 20}),
        ("gil-wait", {"own": 2, "others": 95, "syscalls": (GIL,)}),
        ("gil-wait", {"own": 2, "others": 95, "overran": 90}),
        ("gil-wait", {"own": 1, "others": 99, "starved": 95, "unanswered": 95, "syscalls": ("futex",)}),  # at first
        ("gil-wait", {"own": 2, "others": 95, "unanswered": 40}),
        ("gil-wait", {"own": 0, "others": 25, "starved": 99, "unanswered": 98}),  # by a thread that lacks a CPU
        ("descheduled", {"own": 6, "others": 0, "overran": 97}),  # woken up late
        ("gc", {"own": 20, "delay": 80, "gc": 69, "starved": 45}),  # on a busy machine
        ("descheduled", {"own": 3, "delay": 97, "gc": 98}),  # while it collected
        ("blocking-call", {"own": 0, "others": 2, "starved": 99, "unanswered": 98}),  # itself, in C that keeps the GIL
        ("gc", {"own": 98, "gc": 80, "starved": 95}),
        ("descheduled", {"own": 45, "delay": 55}),
        ("descheduled", {"own": 2, "delay": 95}),
        ("descheduled", {"own": 2, "throttled": 90}),
        ("cpu-python", {"own": 90, "delay": 10}),
        ("unknown", {"own": 1, "delay": None}),
        ("unknown", {"own": 2, "others": 30, "starved": 40}),  # too little of others for a wait for the GIL
        ("blocking-call", {"own": 2, "others": 30, "starved": 40, "syscalls": ("read",)}),
        ("cpu-python", {"own": 98, "delay": None}),
    ],
)
def test_cause_follows_from_the_counters(cause, known):
    found, rule = classify(evidence(**known))
    assert cause == found
    assert any(character.isdigit() for character in rule)


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        ("blocking-call", {"own": 2, "others": 95, "starved": 20}),
        ("blocking-call", {"own": 1, "others": 99, "starved": 95, "unanswered": 95, "syscalls": ("futex",)}),
        ("blocking-call", {"own": 0, "others": 100, "unanswered": 98, "asked": 1, "late": 1, "looks": 9}),
        ("cpu-python", {"own": 98, "others": 100, "starved": 95, "looks": 4}),
        ("cpu-python", {"own": 98, "asked": 4, "looks": 5, "still": 1}),
        ("cpu-python", {"own": 98, "looks": 4, "free": 4}),
        ("cpu-python", {"own": 98, "asked": 6, "late": 6, "looks": 5}),
        ("cpu-python", {"own": 98, "asked": 6, "late": 6, "unanswered": 25}),  # whoever asks had no CPU
        ("cpu-native", {"own": 98, "looks": 5, "still": 4}),
        ("cpu-native", {"own": 99, "asked": 22, "late": 2, "looks": 5, "still": 5}),  # it answers in between: re
        ("cpu-native", {"own": 98, "asked": 1, "late": 1, "unanswered": 90}),
        ("descheduled", {"own": 2, "others": 95, "overran": 90}),
        ("descheduled", {"own": 30, "others": 95, "delay": 70, "starved": 60}),
        ("gc", {"own": 3, "others": 95, "gc": 90}),  # in another thread: it stops all
    ],
)
def test_without_a_gil_nobody_waits_for_it(cause, known):
    found, rule = classify(evidence(**known, gil=False))
    assert cause == found
    assert "GIL" not in rule


def test_collection_in_another_thread_is_a_wait_for_the_gil_where_there_is_one():
    assert classify(evidence(own=3, others=95, gc=90, starved=90))[0] == "gil-wait"


def test_lock_wait_beside_a_thread_that_is_merely_busy_is_a_blocking_call():
    waits = evidence(own=1, others=100, starved=1, syscalls=("futex",))
    assert classify(waits)[0] == "blocking-call"


def test_stall_that_the_machine_made_out_of_shorter_work_is_the_machines():
    work = evidence(length=10, own=4, delay=6)
    assert classify(work)[0] == "descheduled"
    assert "below the threshold" in classify(work)[1]


def test_stall_that_is_one_without_the_machines_share_is_the_programs():
    assert classify(evidence(length=20, own=15, delay=5, asked=2))[0] == "cpu-python"


def test_small_delay_does_not_excuse_a_stall_at_the_threshold():
    assert classify(evidence(length=6, own=5, delay=1, asked=1))[0] == "cpu-python"


def test_a_quota_is_named():
    assert "quota" in classify(evidence(own=1, throttled=99, threshold=5))[1]


def test_short_native_call_is_not_claimed_by_the_watchdog_alone():
    assert classify(evidence(length=8, own=8, starved=4))[0] == "cpu-python"


def test_counters_that_begin_within_the_stall_are_taken_as_shares_of_what_they_cover():
    late = Evidence(
        duration_ns=10 * MS, threshold_ns=5 * MS, window_ns=2 * MS, own_cpu_ns=0, other_cpu_ns=2 * MS, run_delay_ns=0,
        starved_ns=3 * MS,
    )  # fmt: skip
    assert classify(late)[0] == "gil-wait"


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        ("gc", {"own": 98, "gc": 50}),
        ("cpu-python", {"own": 98, "gc": 49}),
        ("gc", {"own": 25, "gc": 50}),
        ("blocking-call", {"own": 24, "gc": 50}),
        ("gil-wait", {"own": 49, "others": 50, "starved": 15}),
        ("cpu-python", {"own": 50, "others": 50, "starved": 15}),
        ("unknown", {"own": 49, "others": 49, "starved": 15}),
        ("blocking-call", {"own": 49, "others": 50, "starved": 14}),
        ("gil-wait", {"own": 49, "others": 50, "unanswered": 15}),
        ("blocking-call", {"own": 49, "others": 50, "unanswered": 14}),
        ("gil-wait", {"own": 49, "others": 50, "overran": 50}),
        ("blocking-call", {"own": 49, "others": 50, "overran": 49}),
        ("gil-wait", {"own": 49, "others": 50, "syscalls": ("futex",), "starved": 50, "unanswered": 50}),
        ("blocking-call", {"own": 49, "others": 50, "syscalls": ("futex",), "starved": 49, "unanswered": 50}),
        ("blocking-call", {"own": 49, "others": 50, "syscalls": ("futex",), "starved": 50, "unanswered": 49}),
        ("gil-wait", {"own": 49, "others": 50, "syscalls": ("futex", GIL, GIL)}),
        ("blocking-call", {"own": 49, "others": 50, "syscalls": ("futex", GIL)}),
        ("blocking-call", {"own": 49, "others": 50, "syscalls": (GIL,), "free": 1}),
        ("gil-wait", {"own": 9, "others": 10, "starved": 90, "unanswered": 90}),
        ("unknown", {"own": 10, "others": 10, "starved": 90, "unanswered": 90}),
        ("blocking-call", {"own": 9, "others": 9, "starved": 90, "unanswered": 90}),
        ("unknown", {"own": 9, "others": 10, "starved": 89, "unanswered": 90}),
        ("unknown", {"own": 9, "others": 10, "starved": 90, "unanswered": 89}),
        ("unknown", {"own": 9, "others": 10, "starved": 90, "unanswered": 90, "looks": 1}),
        ("descheduled", {"length": 100, "threshold": 80, "own": 70, "delay": 20}),
        ("cpu-python", {"length": 100, "threshold": 81, "own": 70, "delay": 19}),
        ("cpu-python", {"length": 100, "threshold": 79, "own": 70, "delay": 20}),
        ("descheduled", {"length": 100, "threshold": 80, "own": 70, "delay": 10, "throttled": 10}),
        ("descheduled", {"own": 9, "others": 9, "starved": 49, "overran": 50}),
        ("blocking-call", {"own": 10, "others": 9, "starved": 49, "overran": 50}),
        ("unknown", {"own": 9, "others": 10, "starved": 49, "overran": 50}),
        ("blocking-call", {"own": 9, "others": 9, "starved": 50, "overran": 50}),
        ("blocking-call", {"own": 9, "others": 9, "starved": 49, "overran": 49}),
        ("descheduled", {"own": 60, "delay": 40}),
        ("cpu-python", {"own": 61, "delay": 40}),  # it cannot have been without a CPU for so long
        ("descheduled", {"own": 0, "delay": 40}),
        ("blocking-call", {"own": 0, "delay": 39}),
        ("cpu-python", {"own": 50}),
        ("blocking-call", {"own": 49}),
        ("unknown", {"own": 49, "delay": None}),
        ("blocking-call", {"own": 49, "delay": None, "syscalls": ("read",)}),
    ],
)
def test_each_threshold_is_met_by_its_own_value_and_not_by_the_one_below(cause, known):
    assert classify(evidence(**known))[0] == cause


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        ("cpu-native", {"looks": 5, "still": 3}),
        ("cpu-python", {"looks": 5, "still": 2}),
        ("cpu-python", {"asked": 4, "late": 2}),
        ("cpu-native", {"asked": 4, "late": 3}),
        ("cpu-python", {"looks": 6, "in_c": 3}),
        ("cpu-python", {"looks": 5, "in_c": 2}),
        ("cpu-native", {"looks": 2, "in_c": 2}),
        ("cpu-native", {"looks": 1, "in_c": 1}),
        ("cpu-python", {"looks": 2, "in_c": 2, "asked": 1}),
        ("cpu-native", {"looks": 3, "in_c": 3, "asked": 1}),
        ("cpu-python", {"looks": 4, "free": 2}),
        ("cpu-python", {"looks": 5, "free": 2}),
        ("cpu-native", {"looks": 4, "free": 3}),
        ("cpu-python", {"looks": 4, "free": 3, "asked": 1}),
        ("cpu-native", {"starved": 35}),
        ("cpu-python", {"starved": 34}),
        ("cpu-python", {"length": 13, "own": 13, "starved": 6.5}),
        ("cpu-native", {"length": 13, "own": 13, "starved": 6.6}),
        ("cpu-native", {"gil": False, "unanswered": 50}),
        ("cpu-python", {"gil": False, "unanswered": 49}),
        ("cpu-python", {"gil": False, "unanswered": 50, "looks": 1}),
        ("cpu-python", {"gil": False, "starved": 95, "in_c": 5, "looks": 5}),
    ],
)
def test_c_code_is_told_from_python_by_more_than_half_of_what_was_seen(cause, known):
    assert classify(evidence(**{"own": 98, **known}))[0] == cause


@pytest.mark.parametrize(
    ("rule", "known"),
    [
        ("garbage collection took 80% of the time", {"own": 98, "gc": 80}),
        ("other threads computed 95% of the time and the loop 2%; the watchdog starved 20%",
         {"own": 2, "others": 95, "starved": 20}),
        ("other threads computed 95% of the time and the loop 2%; a request for its stack went unanswered for 40%",
         {"own": 2, "others": 95, "unanswered": 40}),
        ("other threads computed 95% of the time and the loop 2%; a request for its stack went unanswered for 60%",
         {"own": 2, "others": 95, "unanswered": 60}),
        ("other threads computed 95% of the time and the loop 2%; coming back from its wait for events took it 90%",
         {"own": 2, "others": 95, "overran": 90}),
        ("other threads computed 95% of the time and the loop 2%; it was seen waiting for the GIL 2 times of 3",
         {"own": 2, "others": 95, "looks": 3, "syscalls": (GIL, GIL)}),
        ("other threads computed 25% of the time, and kept the GIL from all others for 98%",
         {"others": 25, "starved": 99, "unanswered": 98}),
        (("ready to run without a CPU for 96% of the time (others had the CPU); "
         "without that wait it would have stayed below the threshold"), {"own": 2, "delay": 96}),
        (("ready to run without a CPU for 96% of the time (others had the CPU); "
         "without that wait it would have stayed below the threshold"), {"own": 2, "delay": 48, "throttled": 48}),
        (("ready to run without a CPU for 96% of the time (the CPU quota); "
         "without that wait it would have stayed below the threshold"), {"own": 2, "delay": 47, "throttled": 49}),
        ("ready to run without a CPU for 60% of the time, computing for 30%", {"own": 30, "delay": 60}),
        ("came back from its wait for events 97% late, and no thread here computed", {"own": 6, "overran": 97}),
        ("came back from its wait for events 90% late, and no other thread keeps it from running",
         {"own": 2, "others": 95, "overran": 90, "gil": False}),
        ("the loop's thread computed 90% of the time in Python", {"own": 90}),
        ("the loop's thread computed 90% of the time and 4 times of 5 in the middle of a C call",
         {"own": 90, "looks": 5, "still": 4}),
        ("the loop's thread computed 90% of the time and was in a C call 3 times of 4 when it was asked",
         {"own": 90, "asked": 4, "late": 3}),
        ("the loop's thread computed 90% of the time and 3 times of 4 in a C call that ran our own code",
         {"own": 90, "looks": 4, "in_c": 3}),
        ("the loop's thread computed 90% of the time and 3 times of 4 in C that had given up the GIL",
         {"own": 90, "looks": 4, "free": 3}),
        ("the loop's thread computed 90% of the time and kept the GIL from the watchdog for 80% of it",
         {"own": 90, "starved": 80}),
        ("the loop's thread computed 90% of the time and left a request for its stack unanswered for 80%",
         {"own": 90, "unanswered": 80, "gil": False}),
        ("the loop's thread computed 1% of the time, and the system tells no more", {"own": 1, "delay": None}),
        ("the loop's thread computed 1% of the time and had a CPU", {"own": 1}),
        ("the loop's thread computed 1% of the time and had a CPU, seen in fsync, read",
         {"own": 1, "syscalls": ("fsync", "read", "fsync", GIL)}),
    ],
)  # fmt: skip
def test_rule_says_what_was_measured(rule, known):
    assert classify(evidence(**known))[1] == rule


def test_shares_are_of_what_the_counters_cover_and_never_of_nothing():
    covered = Evidence(duration_ns=100, threshold_ns=5, window_ns=50, own_cpu_ns=30, other_cpu_ns=0, run_delay_ns=0)
    assert classify(covered) == ("cpu-python", "the loop's thread computed 60% of the time in Python")
    longer = Evidence(duration_ns=50, threshold_ns=5, window_ns=100, own_cpu_ns=30, other_cpu_ns=0, run_delay_ns=0)
    assert classify(longer) == classify(covered)


TIME = st.integers(0, 10**12)
COUNT = st.integers(0, 70)


@given(
    st.builds(
        Evidence, duration_ns=TIME, threshold_ns=TIME, window_ns=TIME, own_cpu_ns=TIME, other_cpu_ns=TIME,
        run_delay_ns=st.none() | TIME, throttled_ns=TIME, gc_ns=TIME, overran_ns=TIME, starved_ns=TIME, asked=COUNT,
        late=COUNT, unanswered_ns=TIME, looks=COUNT, free=COUNT, in_c=COUNT, still=COUNT, gil=st.booleans(),
        syscalls=st.lists(st.sampled_from([GIL, "futex", "fsync"])).map(tuple),
    )
)  # fmt: skip
def test_every_evidence_has_a_cause_and_a_rule(any_evidence):
    found, rule = classify(any_evidence)
    known = {"cpu-python", "cpu-native", "blocking-call", "gil-wait", "gc", "descheduled", "unknown"}
    assert found in known
    assert rule
    assert any_evidence.gil or (found != "gil-wait" and "GIL" not in rule)
