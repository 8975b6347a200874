"""What is advised follows from whether the Python that stalled had a GIL."""

import pytest

from loopstall.analysis.rules import RULES, rule_named, rule_of
from loopstall.records import Evidence, Frame, Stall, StallEvent
from loopstall.report.stall_text import described

MS = 1_000_000


def stall(cause, *, gil):
    evidence = Evidence(
        duration_ns=50 * MS, threshold_ns=5 * MS, window_ns=50 * MS, own_cpu_ns=50 * MS, other_cpu_ns=0, gil=gil
    )
    frame = Frame(file="app.py", line=3, function="main")
    return Stall(start_ns=0, duration_ns=50 * MS, cause=cause, rule="because", culprit=frame, evidence=evidence)


def words(made):
    return described(StallEvent(stall=made, length_ns=made.duration_ns, at=0.0))


@pytest.mark.parametrize("cause", ["cpu-python", "cpu-native"])
def test_computing_goes_to_a_thread_where_there_is_no_gil_and_to_processes_where_there_is(cause):
    assert "process pool" in words(stall(cause, gil=True))
    without = words(stall(cause, gil=False))
    assert "Run it in a thread: this Python has no GIL" in without
    assert rule_of(cause, gil=False).command.startswith("loopstall run {workload} -s {loop}/to_thread")


def test_stall_whose_evidence_is_not_kept_is_taken_for_one_with_a_gil():
    frame = Frame(file="app.py", line=3, function="main")
    older = Stall(start_ns=0, duration_ns=50 * MS, cause="cpu-python", culprit=frame)
    assert "process pool" in words(older)


@pytest.mark.parametrize("name", [name for name in RULES if name != "gil-contention"])
def test_without_a_gil_no_rule_speaks_of_one_that_is_held(name):
    rule = rule_named(name, gil=False)
    assert rule.name == name
    told = f"{rule.title} {rule.cause} {rule.advice}"
    assert told.replace("this Python has no GIL", "").count("GIL") == 0


def test_stall_that_the_machine_made_asks_for_a_quiet_machine():
    assert "what to do: Measure again on an idle machine" in words(stall("descheduled", gil=True))
