"""Spans of a loop that is looked at now and then: made of looks by hand."""

import pytest

from loopstall.monitor.outside.poll import LoopPoll
from loopstall.monitor.outside.slot import Seen

MS = 1_000_000
OUTER = (("/lib/asyncio/base_events.py", "BaseEventLoop._run_once", 1),)
WAITING = (("/lib/selectors.py", "EpollSelector.select", 1), *OUTER)
WORKING = (("/app/user.py", "handler", 7), *OUTER)


class Loop:
    """A loop that does what the test says, and its clock."""

    def __init__(self):
        self.now = 1000 * MS
        self.stack, self.call, self.began = WAITING, "epoll_wait", (0, 0)
        self.looks = 0

    def look(self, _thread_id, *, first):
        self.looks += 1
        return Seen(self.now, self.stack, self.call, False, 0, (), "", 0)

    def state(self, _thread_id):
        return self.call

    def place(self, _thread_id):
        return (1, 1) if self.stack is WAITING else (2, 2)

    def turn(self, _thread_id):
        return self.began

    def cpu_ns(self, _thread_id):
        return self.now, 0

    def works(self, *turn, call="read"):
        self.stack, self.call = WORKING, call
        self.began = turn or self.began

    def waits(self):
        self.stack, self.call = WAITING, "epoll_wait"


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def poll(loop):
    return LoopPoll(loop, 1, "asyncio", threshold_ns=20 * MS, hang_after_ns=1000 * MS, clock=lambda: loop.now)


def after(loop, poll, ms):
    """Looks again each 5 ms for a time; returns what was told meanwhile."""
    told = []
    for _ in range(ms // 5):
        loop.now += 5 * MS
        told.append(poll.poll())
    return [span for span in told if span is not None]


def test_loop_that_waits_is_never_told_and_its_stack_read_once(loop, poll):
    assert after(loop, poll, 10_000) == []
    assert loop.looks == 1


def test_span_reaches_from_the_last_wait_to_the_next(loop, poll):
    after(loop, poll, 50)
    began = loop.now
    loop.works()
    assert after(loop, poll, 50) == []
    loop.waits()
    (span,) = after(loop, poll, 50)
    assert (span.since_ns, span.until_ns, span.open) == (began, began + 55 * MS, False)
    assert span.cpu_ns == span.counted_ns == 55 * MS
    assert {one.stack for one in span.seen} == {WORKING}


def test_turn_that_tells_its_beginning_is_exact_also_before_the_first_look(loop, poll):
    loop.works(loop.now - 700 * MS, 0)
    after(loop, poll, 50)
    loop.waits()
    (span,) = after(loop, poll, 50)
    assert span.length_ns == 700 * MS + 55 * MS


@pytest.mark.parametrize("before", [0, 50], ids=["at the first look", "after a wait"])
def test_loop_that_has_not_got_the_gil_back_is_late_since_its_wait_not_since_the_turn_before(loop, poll, before):
    loop.began = (loop.now - 9000 * MS, 0)
    after(loop, poll, before)
    loop.call = "futex"  # still in ``select``
    after(loop, poll, 50)
    loop.works(loop.now - 3 * MS, 0)
    (span,) = after(loop, poll, 5)
    assert 45 * MS <= span.length_ns <= 50 * MS


@pytest.mark.parametrize("number", [0, 1], ids=["turns", "callbacks"])
def test_loop_that_goes_on_without_being_seen_waiting_does_not_stall(loop, poll, number):
    for _ in range(100):
        loop.works(*((loop.now, 0) if number == 0 else (0, loop.now)))
        assert after(loop, poll, 10) == []


def test_turn_that_was_too_long_is_told_when_the_next_one_is_seen(loop, poll):
    loop.works(loop.now, 0)
    began = loop.now
    after(loop, poll, 100)
    loop.works(began + 98 * MS, 0)
    (span,) = after(loop, poll, 10)
    assert span.length_ns == 98 * MS


def test_stall_is_told_while_it_lasts_each_time_that_it_has_doubled(loop, poll):
    loop.works()
    told = after(loop, poll, 10_000)
    assert all(span.open for span in told)
    assert [span.length_ns // MS for span in told] == [1000, 2000, 4000, 8000]
    assert len(told[-1].seen) <= 64


def test_callback_that_selects_by_itself_does_not_wait_for_the_loops_events(loop, poll):
    loop.stack, loop.call = (
        (("/lib/selectors.py", "PollSelector.select", 1), ("/app/user.py", "run", 1), *OUTER),
        "poll",
    )
    assert len(after(loop, poll, 1000)) == 1


def test_loop_that_has_ended_is_no_stall(loop, poll):
    after(loop, poll, 10)
    loop.stack, loop.call = (("/app/user.py", "main", 1),), "read"
    assert after(loop, poll, 10) == []
    assert poll.ended


def test_thread_that_has_ended_is_late_no_more(loop, poll):
    loop.works()
    after(loop, poll, 50)
    loop.call = ""
    (span,) = after(loop, poll, 5)
    assert (span.length_ns, poll.ended) == (50 * MS, True)


def test_span_that_goes_on_is_told_at_the_end_of_the_watch(loop, poll):
    loop.works()
    after(loop, poll, 100)
    assert poll.close().length_ns == 100 * MS
