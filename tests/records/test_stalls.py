"""How much of a stall was the program's own, and how much a wait for a CPU."""

from dataclasses import replace
import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.records import Evidence, Frame, Stall, StallEvent, StallPart, stall_event_from, to_plain

MS = 1_000_000


def stall(*, length=100, own=10, delay=0, throttled=0):
    evidence = Evidence(
        duration_ns=length * MS, threshold_ns=5 * MS, window_ns=length * MS, own_cpu_ns=own * MS, other_cpu_ns=0,
        run_delay_ns=None if delay is None else delay * MS, throttled_ns=throttled * MS,
    )  # fmt: skip
    return Stall(start_ns=0, duration_ns=length * MS, evidence=evidence)


@pytest.mark.parametrize(
    ("waited", "known"),
    [
        (0, {}),
        (0, {"delay": None}),
        (40, {"delay": 40}),
        (40, {"throttled": 40}),
        (40, {"delay": None, "throttled": 40}),
        (60, {"delay": 20, "throttled": 40}),
        (90, {"delay": 90}),
        (90, {"delay": 91}),  # it computed in the rest
        (50, {"own": 50, "delay": 50, "throttled": 50}),  # the same time, told twice
        (100, {"own": 0, "delay": 150}),
        (0, {"own": 110, "delay": 50}),
    ],
)
def test_wait_for_a_cpu_is_what_the_system_tells_of_it_as_far_as_it_can_be(waited, known):
    made = stall(**known)
    assert made.evidence.waited_cpu_ns == made.waited_cpu_ns == waited * MS
    assert made.own_ns == (100 - waited) * MS


def test_stall_without_evidence_is_the_programs_own():
    made = Stall(start_ns=0, duration_ns=7)
    assert (made.waited_cpu_ns, made.own_ns) == (0, 7)


def test_part_of_a_stall_has_its_part_of_the_wait():
    seen = StallEvent(stall=stall(delay=40), length_ns=50 * MS, at=0.0)
    assert (seen.own_ns, seen.waited_cpu_ns) == (30 * MS, 20 * MS)
    assert StallEvent(stall=Stall(start_ns=0, duration_ns=0), length_ns=0, at=0.0).own_ns == 0


@given(*[st.integers(0, 1000)] * 4, st.integers(0, 1000))
def test_both_parts_are_all_of_it_and_none_is_less_than_nothing(length, own, delay, throttled, within):
    made = stall(length=length, own=own, delay=delay, throttled=throttled)
    assert made.own_ns + made.waited_cpu_ns == made.duration_ns
    assert min(made.own_ns, made.waited_cpu_ns) >= 0
    assert made.own_ns >= min(own, length) * MS
    seen = StallEvent(stall=made, length_ns=min(within, length) * MS, at=0.0)
    assert seen.own_ns + seen.waited_cpu_ns == seen.length_ns
    assert 0 <= seen.own_ns <= made.own_ns


FRAME = Frame(file="app.py", line=1, function="f")


def parted(*frames, culprit=FRAME, task=""):
    parts = tuple(StallPart(culprit=frame, share=0.3, task=str(number)) for number, frame in enumerate(frames))
    return Stall(start_ns=0, duration_ns=7, culprit=culprit, task=task, parts=parts)


@pytest.mark.parametrize(
    ("made", "beside"),
    [
        (parted(), ""),
        (parted(FRAME, None), "1"),
        (parted(None, FRAME), "0"),
        (parted(FRAME, FRAME, FRAME, task="1"), "02"),  # tasks of the same function: it is the named one
        (parted(FRAME, FRAME, FRAME), "12"),  # or else the longest
        (parted(FRAME, None, task="1"), "1"),
        (parted(None, None), "01"),
        (parted(None, FRAME, culprit=None), "1"),
    ],
)
def test_parts_beside_the_culprits_are_all_but_its_own(made, beside):
    assert "".join(part.task for part in made.beside) == beside


def test_parts_that_look_the_same_are_still_two():
    same = StallPart(culprit=FRAME, share=0.5)
    assert Stall(start_ns=0, duration_ns=7, culprit=FRAME, parts=(same, replace(same))).beside == (same,)


@pytest.mark.parametrize("made", [parted(), parted(FRAME, None)])
def test_stall_is_read_as_it_was_written(made):
    seen = StallEvent(stall=made, length_ns=7, at=1.5)
    assert stall_event_from(json.loads(json.dumps(to_plain(seen)))) == seen


def test_stall_of_an_older_file_has_no_parts():
    plain = to_plain(StallEvent(stall=parted(FRAME, None), length_ns=7, at=1.5))
    del plain["stall"]["parts"]
    assert stall_event_from(plain).stall == parted()
