"""When a loop's thread is looked at, on a clock that the test sets."""

from itertools import pairwise
import sys

import pytest

from loopstall.monitor.outside.looker import Looker
from loopstall.monitor.outside.slot import NEVER, Seen, Slot

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


class Thread:
    """A target that counts its looks; each computes for 0.1 ms."""

    def __init__(self):
        self.now, self.looks, self.ends_during_look, self.firsts = 100.0, 0, None, []
        self.takes_s = 0.0001

    def __call__(self):
        return self.now

    def clocks(self, _thread_id):
        return self.looks * 1000, self.looks

    def look(self, _thread_id, *, first, early):
        self.firsts.append(first)
        self.looks += 1
        self.now += self.takes_s
        if self.ends_during_look:
            self.ends_during_look()
        return Seen(self.looks, (("a.py", "f", 1),), "running", True, 0, (), "", 0)


@pytest.fixture
def slot():
    made = Slot.make()
    made.attach(7, 0.005)
    yield made
    made.close()


@pytest.fixture
def thread():
    return Thread()


def until(looker, thread, seconds):
    """Looks whenever it is due; returns when the looks were."""
    looks = []
    while thread.now < seconds:
        looks.append(thread.now)
        due = looker.look()
        if due is None:
            break
        thread.now = due
    return looks


def test_loop_that_is_not_late_is_not_looked_at(slot, thread):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    slot.seconds[0] = NEVER  # it may wait for ever
    assert looker.look() is None
    slot.seconds[0] = 99.0
    slot.detach()
    assert looker.look() is None
    assert thread.looks == 0


@pytest.mark.parametrize(("moves", "looks"), [(False, 1), (True, 0)])
def test_wait_in_which_the_alarm_goes_off_is_looked_at_when_it_should_have_ended(slot, thread, moves, looks):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    slot.seconds[0] = due = thread.now + 1
    looker.alarmed()
    again = looker.look()
    assert due < again < due + 0.002
    assert thread.looks == 0
    thread.now = again
    if moves:  # it has come back, and has an alarm of its own
        slot.seconds[0] = again - 0.0001
    assert (looker.look() is not None) is not moves
    assert thread.looks == looks


def test_pauses_grow_with_the_time_that_the_loop_is_late(slot, thread):
    slot.seconds[0] = thread.now
    looks = until(Looker(slot, thread, seconds=thread, cpu_seconds=thread), thread, 101)
    pauses = [after - before for before, after in pairwise(looks)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.0006
    assert 0.1 < pauses[-1] < 0.5
    assert thread.looks < 64


def test_number_of_looks_that_are_kept_is_bounded(slot, thread):
    slot.seconds[0] = thread.now
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    until(looker, thread, 100_000)
    assert len(looker.seen) == len(slot.seen()) == thread.looks == 96


def test_each_span_begins_anew(slot, thread):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    slot.seconds[0] = thread.now
    until(looker, thread, 100.05)
    slot.seconds[0] = NEVER
    assert looker.look() is None
    slot.seconds[0] = thread.now
    looker.alarmed()
    looker.look()
    assert [one.at_ns for one in slot.seen()] == [thread.looks]
    assert thread.firsts == [True, *[False] * (thread.looks - 2), True]


def test_alarm_of_the_next_span_is_not_taken_for_the_end_of_the_one_before(slot, thread):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    slot.seconds[0] = thread.now
    looker.look()
    slot.seconds[0] = thread.now + 0.001  # the loop has moved on between two looks, and is late again
    thread.now += 0.01
    looker.alarmed()
    assert looker.look() is not None
    assert [one.at_ns for one in slot.seen()] == [2]


def test_look_at_what_has_moved_on_meanwhile_does_not_count(slot, thread):
    slot.seconds[0] = thread.now
    thread.ends_during_look = lambda: slot.seconds.__setitem__(0, NEVER)
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    looker.look()
    assert thread.looks == 1
    assert slot.seen() == []


def test_stall_that_goes_on_is_told_of_and_again_each_time_it_has_doubled(slot, thread):
    told = []
    looker = Looker(
        slot, thread, hang_after_s=1.0, on_hang=lambda looker, late_s: told.append((late_s, looker.used[0])),
        seconds=thread, cpu_seconds=thread,
    )  # fmt: skip
    slot.seconds[0] = thread.now
    until(looker, thread, 110)
    lengths = [late_s for late_s, _ in told]
    assert len(lengths) in {3, 4}
    assert all(after >= 2 * before for before, after in pairwise(lengths))
    assert lengths[0] >= 1
    assert all(count for _, count in told)


def test_counters_are_told_with_the_time_that_they_are_of(slot, thread):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    slot.seconds[0] = since = thread.now
    thread.now = first = since + 0.5  # nobody had looked before
    until(looker, thread, since + 1.0)
    last = thread.now
    looker.look()
    assert looker.used[0] == thread.looks * 1000
    assert looker.counted_s == pytest.approx(last + thread.takes_s - first)
    thread.now += 5.0  # nor does anybody after
    assert looker.counted_s == pytest.approx(last + thread.takes_s - first)


def spans(looker, slot, thread, *, length_s, count, pause_s=0.001):
    """Has the loop work for so long again and again, the alarm going off each time; returns the looks at each span."""
    found = []
    for _ in range(count):
        before = thread.looks
        slot.seconds[0] = since = thread.now
        thread.now += 0.0005
        looker.alarmed()
        while (due := looker.look()) is not None and due < since + length_s:
            thread.now = due
        thread.now = since + length_s
        slot.seconds[0] = NEVER
        looker.look()
        found.append(thread.looks - before)
        thread.now += pause_s
    return found


def test_spans_that_are_no_stalls_are_left_alone_for_longer_when_there_are_many(slot, thread):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    looks = spans(looker, slot, thread, length_s=0.003, count=1000)
    assert looks[0] > 3
    assert sum(looks[-500:]) < 0.25 * 500 * looks[0]
    assert min(spans(looker, slot, thread, length_s=0.0055, count=20)) > 0  # and stalls are seen all the same


@pytest.mark.parametrize("length_s", [0.003, 0.006, 0.05])
def test_spans_that_come_seldom_are_looked_at_as_often_as_the_first(slot, thread, length_s):
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    looks = spans(looker, slot, thread, length_s=length_s, count=50, pause_s=2)
    assert set(looks) == {looks[0]}


@pytest.mark.parametrize("length_s", [0.006, 0.02, 0.05, 0.2])
def test_stalls_one_after_the_other_are_looked_at_less_often_yet_often_enough_to_tell_their_cause(
    slot, thread, length_s
):
    thread.takes_s = 0.0006
    looker = Looker(slot, thread, seconds=thread, cpu_seconds=thread)
    first, *_ = spans(looker, slot, thread, length_s=length_s, count=1, pause_s=2)
    begun, before = thread.now, thread.looks
    looks = spans(looker, slot, thread, length_s=length_s, count=int(5 / length_s))[-20:]
    assert 2 <= min(looks) <= max(looks) < first
    assert (thread.looks - before) * thread.takes_s < (0.2 if length_s < 0.05 else 0.1) * (thread.now - begun)
