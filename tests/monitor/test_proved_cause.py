"""The cause of a stall that was looked at from outside, by evidence made by hand."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor.cause import classify, of_longest_part
from loopstall.monitor.syscalls import GIL
from loopstall.records import Evidence

MS = 1_000_000
CPU = {"cpu", "cpu-python", "cpu-native"}
CAUSES = CPU | {"blocking-call", "gil-wait", "gc", "descheduled", "unknown"}
TIMES = {
    "own": "own_cpu_ns", "others": "other_cpu_ns", "delay": "run_delay_ns", "throttled": "throttled_ns",
    "gc": "gc_ns", "overran": "overran_ns", "python": "python_ns", "native": "native_ns", "waited_gil": "gil_ns",
    "waiting": "waiting_ns", "ready": "ready_ns",
    "length": "duration_ns", "threshold": "threshold_ns", "window": "window_ns", "starved": "starved_ns",
}  # fmt: skip


def evidence(**known):
    """Evidence over 100 ms, unless said otherwise, so that a figure in ms is a percentage as well."""
    known = {"length": 100, "threshold": 5, "own": 0, "others": 0, "delay": 0} | known
    times = {TIMES[key]: value and value * MS for key, value in known.items() if key in TIMES}
    rest = {key: value for key, value in known.items() if key not in TIMES}
    return Evidence(**{"window_ns": times["duration_ns"], "outside": True, **times, **rest})


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        # the loop waited for the GIL in most of what was seen
        ("gil-wait", {"waited_gil": 51, "waiting": 49}),
        ("blocking-call", {"waited_gil": 50, "waiting": 50}),
        ("gil-wait", {"own": 99, "waited_gil": 6, "python": 5}),
        ("cpu-python", {"own": 99, "waited_gil": 5, "python": 5}),
        ("gil-wait", {"waited_gil": 1}),
        # it computed for half of the time that it had a CPU
        ("cpu-python", {"own": 50, "python": 10}),
        ("blocking-call", {"own": 49, "python": 10}),
        ("cpu-python", {"own": 25, "delay": 50, "python": 10}),
        ("blocking-call", {"own": 24, "delay": 50, "python": 10}),
        ("cpu-python", {"own": 25, "throttled": 50, "python": 10}),
        ("cpu-python", {"own": 25, "delay": 30, "throttled": 20, "python": 10}),
        ("blocking-call", {"own": 24, "delay": None, "python": 10}),
        ("cpu-python", {"own": 50, "delay": None, "python": 10}),
        # in native code for more than half of what was seen of that
        ("cpu-native", {"own": 90, "python": 49, "native": 51}),
        ("cpu-python", {"own": 90, "python": 50, "native": 50}),
        ("cpu-native", {"own": 90, "native": 1}),
        ("cpu-native", {"own": 86, "native": 98}),
        ("cpu", {"own": 85, "native": 98}),  # where 15 have gone nobody knows
        ("cpu-python", {"own": 80, "python": 51, "native": 47}),
        ("cpu-native", {"own": 80, "native": 78, "delay": 20}),
        ("cpu-native", {"own": 80, "native": 78, "waiting": 10}),
        ("cpu-native", {"own": 90, "python": 1, "native": 2, "waiting": 90}),
        ("cpu", {"own": 90}),
        ("blocking-call", {"own": 50, "waiting": 1}),  # the kernel computes: fsync of a file in memory
        # nobody looked
        ("gil-wait", {"own": 9, "others": 50, "overran": 50}),
        ("unknown", {"own": 9, "others": 49, "overran": 50}),
        ("unknown", {"own": 9, "others": 50, "overran": 49}),
        ("descheduled", {"own": 9, "others": 9, "overran": 50}),
        ("unknown", {"own": 9, "others": 10, "overran": 50}),
        ("unknown", {"own": 9, "others": 9, "overran": 49, "starved": 1}),
        ("unknown", {"own": 49, "starved": 1}),
        # nobody was there yet
        ("blocking-call", {"own": 49, "others": 9}),
        ("unknown", {"own": 9, "others": 10}),
        ("unknown", {"own": 49, "python": 49, "looks": 2, "syscalls": (GIL,)}),
        ("blocking-call", {"own": 49, "python": 40, "waiting": 1, "looks": 2, "syscalls": (GIL,)}),
        ("gil-wait", {"own": 9, "others": 50, "syscalls": (GIL,)}),
        ("unknown", {"own": 9, "others": 49, "syscalls": (GIL,)}),
        ("unknown", {"own": 9, "others": 50, "syscalls": (GIL,), "gil": False}),
        ("descheduled", {"own": 9, "others": 90, "overran": 50, "gil": False}),
        ("unknown", {"own": 9, "others": 90, "overran": 49, "gil": False}),
        # somebody did, and the loop was waiting
        ("blocking-call", {"own": 9, "others": 90, "overran": 90, "waiting": 1}),
        # the machine let it wait for too long, and charged it for that
        ("descheduled", {"overran": 95, "own": 90, "python": 90, "looks": 1}),
        ("cpu-python", {"overran": 94, "own": 90, "python": 90, "looks": 1}),
        ("descheduled", {"overran": 95, "own": 47}),
        ("descheduled", {"threshold": 80, "overran": 20, "own": 9}),
        ("unknown", {"threshold": 81, "overran": 19, "own": 9, "starved": 9}),
        # it was seen without a CPU, and the system counts as much, also of a time before
        ("descheduled", {"own": 95, "python": 5, "ready": 95, "delay": 95, "looks": 2}),
        ("cpu-python", {"own": 95, "python": 6, "ready": 94, "delay": 95, "looks": 2}),
        ("cpu-python", {"own": 95, "python": 5, "ready": 95, "delay": 94, "looks": 2}),
        ("descheduled", {"own": 95, "python": 5, "ready": 95, "delay": 45, "throttled": 50, "looks": 2}),
        ("cpu-python", {"own": 95, "python": 5, "ready": 95, "delay": None, "looks": 2}),
        ("descheduled", {"own": 95, "overran": 50, "python": 5, "ready": 45, "delay": 45, "looks": 2}),
        ("cpu-python", {"own": 95, "overran": 49, "python": 6, "ready": 45, "delay": 45, "looks": 2}),
        ("descheduled", {"own": 95, "python": 5, "ready": 95, "delay": 98, "window": 103, "looks": 2}),
        ("cpu-python", {"own": 95, "python": 5, "ready": 95, "delay": 98, "window": 104, "looks": 2}),
        ("descheduled", {"own": 95, "python": 5, "ready": 95, "delay": 95, "window": 50, "looks": 2}),
        # what is told may be the late end of its wait, unless the thread was charged for that
        ("cpu-python", {"threshold": 30, "overran": 31, "own": 55, "python": 40, "ready": 40, "delay": 60, "looks": 2}),
        (
            "descheduled",
            {"threshold": 30, "overran": 31, "own": 56, "python": 40, "ready": 40, "delay": 60, "looks": 2},
        ),
        ("cpu-native", {"threshold": 30, "overran": 31, "own": 55, "native": 40, "ready": 40, "delay": 60, "looks": 2}),
        ("cpu", {"overran": 100, "own": 50}),
        ("cpu-python", {"threshold": 10, "overran": 90, "own": 90, "others": 9, "python": 90, "looks": 1}),
        ("cpu", {"overran": 96, "own": 50}),  # a handler of signals, at which nobody looked
        ("descheduled", {"overran": 95, "own": 90, "others": 9, "python": 90, "looks": 1}),
        ("cpu-python", {"overran": 95, "own": 90, "others": 10, "python": 90, "looks": 1}),
        ("descheduled", {"overran": 95, "own": 90, "others": 90, "python": 90, "looks": 1, "gil": False}),
        ("gil-wait", {"overran": 95, "waited_gil": 1, "looks": 1}),
        ("descheduled", {"threshold": 50, "overran": 50, "own": 60, "python": 60, "looks": 1}),
        ("cpu-python", {"threshold": 50, "overran": 49, "own": 60, "python": 60, "looks": 1}),
        # what comes before all that
        ("gc", {"own": 90, "gc": 50, "python": 90}),
        ("cpu-python", {"own": 90, "gc": 49, "python": 90}),
        ("descheduled", {"threshold": 80, "own": 60, "gc": 50, "delay": 20, "python": 60}),  # it had been no stall
        ("gc", {"threshold": 79, "own": 60, "gc": 50, "delay": 20, "python": 60}),  # whatever the machine did meanwhile
        ("gc", {"own": 20, "gc": 98, "delay": 80, "native": 98}),
        ("descheduled", {"own": 4, "delay": 95, "python": 90}),
        ("cpu-python", {"own": 6, "delay": 94, "python": 90}),
        # another thread had the GIL: a CPU would not have helped
        ("gil-wait", {"others": 50, "delay": 96, "waited_gil": 11, "python": 10, "looks": 3}),
        ("descheduled", {"others": 49, "delay": 96, "waited_gil": 11, "python": 10, "looks": 3}),
        ("descheduled", {"others": 50, "delay": 96, "waited_gil": 10, "python": 10, "looks": 3}),
        # it was seen waiting, and what the system tells may be of the time before
        ("descheduled", {"delay": 60, "waiting": 5, "looks": 2, "threshold": 50, "window": 200}),
        ("blocking-call", {"delay": 60, "waiting": 90, "looks": 2, "threshold": 50, "window": 111}),
        ("descheduled", {"delay": 60, "waiting": 90, "looks": 2, "threshold": 50, "window": 110}),
        ("descheduled", {"delay": 60, "waiting": 50, "looks": 2, "threshold": 50, "window": 200}),
        ("blocking-call", {"delay": 60, "waiting": 51, "looks": 2, "threshold": 50, "window": 200}),
        ("blocking-call", {"own": 10, "delay": 60, "waiting": 41, "looks": 2, "threshold": 50, "window": 200}),
        ("descheduled", {"threshold": 80, "own": 80, "delay": 20, "python": 90}),
        ("cpu-python", {"threshold": 81, "own": 80, "delay": 19, "python": 90}),
        ("cpu-python", {"threshold": 79, "own": 80, "delay": 20, "python": 90}),
        ("descheduled", {"threshold": 80, "own": 80, "delay": 10, "throttled": 10, "python": 90}),
        ("descheduled", {"threshold": 80, "own": 80, "throttled": 20, "delay": None, "python": 90}),
    ],
)
def test_each_threshold_is_met_by_its_own_value_and_not_by_the_one_beside(cause, known):
    assert classify(evidence(**known))[0] == cause


@pytest.mark.parametrize(
    ("rule", "known"),
    [
        ("waited for the GIL in 75% of the samples", {"waited_gil": 60, "waiting": 20}),
        ("the loop's thread computed 60% of the time that it had a CPU, 67% of it without a step of Python",
         {"own": 30, "delay": 50, "python": 30, "native": 60, "waiting": 10}),
        ("the loop's thread computed 90% of the time that it had a CPU, 75% of it without a step of Python",
         {"own": 90, "python": 10, "native": 30}),
        (("the loop's thread computed 60% of the time that it had a CPU; "
          "something has stopped it as well, so that steps of Python may have been missed"),
         {"own": 60, "python": 10, "native": 30}),
        ("the loop's thread computed 90% of the time that it had a CPU; no sample tells whether in Python or in C", {"own": 90}),
        ("the loop's thread computed 60% of the time that it had a CPU, where it was seen in fsync: in the kernel",
         {"own": 60, "waiting": 40, "syscalls": ("fsync", GIL)}),
        ("the loop's thread computed 10% of the time and had a CPU, seen in fsync, read",
         {"own": 10, "waiting": 90, "syscalls": ("fsync", GIL, "read", "fsync")}),
        ("the loop's thread computed 10% of the time and had a CPU", {"own": 10, "waiting": 9, "syscalls": (GIL,)}),
        ("the loop's thread computed 10% of the time, and no sample was taken yet", {"own": 10}),
        ("the loop's thread computed 10% of the time, others 20%, and no sample met it waiting", {"own": 10, "others": 20}),
        ("came back from its wait for events 80% late while other threads computed", {"others": 60, "overran": 80}),
        ("came back from its wait for events 80% late, and no thread here computed", {"overran": 80}),
        (("ready to run without a CPU for 96% of the time (came back from its wait for events 50% late); "
         "without that wait it would have stayed below the threshold"),
         {"overran": 50, "own": 90, "looks": 1, "ready": 46, "delay": 46}),
        (("ready to run without a CPU for 96% of the time (others had the CPU); "
         "without that wait it would have stayed below the threshold"), {"own": 90, "looks": 1, "ready": 96, "delay": 96}),
        (("ready to run without a CPU for 50% of the time (others had the CPU); "
         "without that wait it would have stayed below the threshold"), {"threshold": 50, "overran": 50, "delay": 50}),
        (("ready to run without a CPU for 96% of the time (others had the CPU); "
         "without that wait it would have stayed below the threshold"), {"delay": 48, "throttled": 48}),
        (("ready to run without a CPU for 96% of the time (the CPU quota); "
         "without that wait it would have stayed below the threshold"), {"delay": 47, "throttled": 49}),
    ],
)  # fmt: skip
def test_rule_says_what_was_measured(rule, known):
    assert classify(evidence(**known))[1] == rule


@pytest.mark.parametrize(
    ("cause", "part", "looks", "told"),
    [
        ("cpu-python", {"waiting": 51, "python": 49}, 2, "blocking-call"),
        ("cpu-python", {"waiting": 50, "python": 50}, 2, "cpu-python"),
        ("cpu-python", {"waiting": 51, "python": 49}, 1, "cpu-python"),
        ("blocking-call", {"native": 9}, 2, "cpu-native"),
        ("blocking-call", {"waiting": 9}, 2, "blocking-call"),
        ("cpu-native", {"python": 9, "native": 3}, 2, "cpu-python"),
        ("cpu", {"python": 9, "native": 3}, 3, "cpu-python"),
        ("cpu", {"python": 9, "waited_gil": 9}, 3, "cpu"),
        ("cpu", {}, 3, "cpu"),
        ("gil-wait", {"python": 9}, 3, "gil-wait"),
        ("descheduled", {"python": 9}, 3, "descheduled"),
        ("gc", {"python": 9}, 3, "gc"),
        ("unknown", {"python": 9}, 3, "unknown"),
    ],
)
def test_turn_has_the_cause_of_its_longest_callback(cause, part, looks, told):
    found, rule = of_longest_part(cause, "the rule of the turn", evidence(**part), looks)
    assert found == told
    assert (rule == "the rule of the turn") == (found == cause)


def test_rule_of_the_longest_callback_says_what_was_measured():
    _, rule = of_longest_part("cpu", "", evidence(waiting=60, python=20), 4)
    assert rule == "waited in 75% of the time of its longest callback"


def test_want_of_a_cpu_that_the_system_does_not_count_is_none():
    known = evidence(overran=50, own=90, python=50, ready=1, delay=None, looks=1)
    assert classify(replace(known, threshold_ns=50 * MS - 1))[0] == "cpu-python"
    assert classify(replace(known, threshold_ns=50 * MS))[0] == "descheduled"


@pytest.mark.parametrize(("window", "cause"), [(142, "cpu"), (143, "descheduled")])
def test_what_was_computed_before_the_stall_is_no_handlers(window, cause):
    known = evidence(overran=95, own=90)
    assert classify(replace(known, window_ns=window * MS))[0] == cause


def test_stall_without_any_length_has_a_cause():
    nothing = Evidence(duration_ns=0, threshold_ns=0, window_ns=0, own_cpu_ns=0, other_cpu_ns=0, outside=True)
    assert classify(nothing)[0] in CAUSES


def test_wait_for_a_cpu_that_is_longer_than_what_the_counters_cover_is_no_negative_share():
    covered = replace(evidence(own=30, delay=60, python=9), window_ns=50 * MS)
    assert classify(covered)[0] == "cpu-python"
    assert classify(replace(covered, own_cpu_ns=0))[0] == "blocking-call"


TIME = st.integers(0, 10**12)
ANY = st.builds(
    Evidence, duration_ns=TIME, threshold_ns=TIME, window_ns=TIME, own_cpu_ns=TIME, other_cpu_ns=TIME,
    run_delay_ns=st.none() | TIME, throttled_ns=TIME, gc_ns=TIME, overran_ns=TIME, gil=st.booleans(),
    syscalls=st.lists(st.sampled_from([GIL, "futex", "fsync"])).map(tuple), outside=st.just(True), python_ns=TIME,
    native_ns=TIME, gil_ns=TIME, waiting_ns=TIME,
)  # fmt: skip


@given(ANY)
def test_every_stall_has_a_known_cause_and_a_rule(any_evidence):
    cause, rule = classify(any_evidence)
    assert cause in CAUSES
    assert rule


@given(ANY, TIME)
def test_more_time_in_native_code_never_turns_it_into_python(any_evidence, more):
    if classify(any_evidence)[0] == "cpu-native":
        assert classify(replace(any_evidence, native_ns=any_evidence.native_ns + more))[0] == "cpu-native"


@given(ANY, TIME)
def test_more_steps_of_python_never_turn_it_into_native_code(any_evidence, more):
    if classify(any_evidence)[0] == "cpu-python":
        assert classify(replace(any_evidence, python_ns=any_evidence.python_ns + more))[0] == "cpu-python"


@given(ANY, TIME, st.booleans())
def test_wait_for_a_cpu_never_makes_a_blocking_call_of_what_computed(any_evidence, delay, quota):
    longer = replace(
        any_evidence,
        duration_ns=any_evidence.duration_ns + delay,
        window_ns=any_evidence.window_ns + delay,
        **(
            {"throttled_ns": any_evidence.throttled_ns + delay}
            if quota
            else {"run_delay_ns": (any_evidence.run_delay_ns or 0) + delay}
        ),
    )
    if classify(any_evidence)[0] in CPU:
        assert classify(longer)[0] in {*CPU, "gc", "descheduled"}


@given(ANY, TIME)
def test_more_wait_for_the_gil_never_turns_it_into_anything_else(any_evidence, more):
    if classify(any_evidence)[0] == "gil-wait" and any_evidence.gil_ns:
        assert classify(replace(any_evidence, gil_ns=any_evidence.gil_ns + more))[0] == "gil-wait"
