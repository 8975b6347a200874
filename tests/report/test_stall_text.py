"""Stalls in words, made by hand."""

from dataclasses import replace

import pytest

from loopstall.records import Evidence, Frame, Stall, StallEvent, StallPart
from loopstall.report.stall_text import described, in_a_line, without_cpu

MS = 1_000_000


def seen(*, length=100, within=None, waited=0):
    evidence = Evidence(
        duration_ns=round(length * MS), threshold_ns=5 * MS, window_ns=round(length * MS), own_cpu_ns=0,
        other_cpu_ns=0, run_delay_ns=round(waited * MS),
    )  # fmt: skip
    stall = Stall(start_ns=0, duration_ns=round(length * MS), cause="cpu-python", rule="the rule", evidence=evidence)
    return StallEvent(stall=stall, length_ns=round((within or length) * MS), at=0.0)


def frame(function):
    return Frame(file="/srv/app.py", line=12, function=function)


def part(function, share, **rest):
    return StallPart(culprit=function and frame(function), share=share, **rest)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("10.0 ms of it without a CPU", {"waited": 10}),
        ("", {"waited": 9.99}),
        ("1.00 ms of it without a CPU", {"length": 9, "waited": 1}),
        ("", {"length": 9, "waited": 0.99}),
        ("", {}),
        ("20.0 ms of it without a CPU", {"within": 50, "waited": 40}),
    ],
)
def test_wait_for_a_cpu_is_told_from_a_tenth_and_a_millisecond_on(said, known):
    assert without_cpu(seen(**known)) == said


def test_length_is_told_with_the_wait_for_a_cpu():
    assert in_a_line(seen(waited=40)).startswith("stall of 100 ms (40.0 ms of it without a CPU), cpu-python: ")
    assert in_a_line(seen()).startswith("stall of 100 ms, cpu-python: ")
    assert described(seen(waited=40)).startswith("100 ms (40.0 ms of it without a CPU), cpu-python: the rule\n")
    assert described(seen()).startswith("100 ms, cpu-python: the rule\n")


def test_other_callbacks_of_the_turn_are_told():
    parts = (
        part("worst", 0.5, task="Task-1"),
        part("other", 0.314, task="Task-5", label="GET /slow"),
        part(None, 0.1),
    )
    made = seen()
    turn = replace(made, stall=replace(made.stall, culprit=frame("worst"), parts=parts))
    lines = [line.strip() for line in described(turn).splitlines() if "also in" in line]
    assert lines == [
        "also in this loop iteration: /srv/app.py:12 in other, task Task-5, GET /slow, 31%",
        "also in this loop iteration: no culprit was seen, 10%",
    ]
    assert "also in" not in described(made)
