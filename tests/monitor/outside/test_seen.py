"""A stall made of looks from outside alone."""

import pytest

from loopstall.monitor.depth import DEPTH
from loopstall.monitor.outside.seen import stall_from
from loopstall.monitor.outside.slot import Seen
from loopstall.monitor.syscalls import GIL, READY, RUNNING

S, MS = 1_000_000_000, 1_000_000
STACK = (("/app/user.py", "handler", 7), ("/usr/lib/python3.14/asyncio/base_events.py", "BaseEventLoop._run_once", 1))
HOLDER = (("/app/other.py", "hold", 3),)


def looks(state, count=10, *, stepped=False, holder_id=0, frame=1):
    return [
        Seen(S + n * 10 * MS, STACK, state, stepped, holder_id, HOLDER if holder_id else (), "main", frame)
        for n in range(count)
    ]


def made(seen, cpu_ns=None, **extra):
    return stall_from(seen, since_s=1.0, until_s=1.1, threshold_ns=20 * MS, cpu_ns=cpu_ns, **extra)


@pytest.mark.parametrize(
    ("seen", "cpu_ms", "cause"),
    [
        (looks(RUNNING, stepped=True), None, "cpu-python"),
        (looks(RUNNING, stepped=True), 95, "cpu-python"),
        (looks(RUNNING), None, "cpu-native"),
        (looks("clock_nanosleep"), None, "blocking-call"),
        (looks("futex"), 1, "blocking-call"),
        (looks(GIL, holder_id=9), None, "gil-wait"),
        (looks(READY), None, "unknown"),
        (looks(""), 50, "unknown"),
        ([], None, "unknown"),
    ],
)
def test_cause_is_what_the_looks_have_seen(seen, cpu_ms, cause):
    assert made(seen, None if cpu_ms is None else cpu_ms * MS).cause == cause


def test_stall_has_length_line_stack_coroutine_and_task():
    stall = made(looks("read", frame=4711), task_of=lambda seen: f"Task-{seen.frame}")
    assert stall.duration_ns == 100 * MS
    assert str(stall.culprit) == "/app/user.py:7 in handler"
    assert [frame.function for frame in stall.stack] == ["handler", "BaseEventLoop._run_once"]
    assert (stall.task, stall.coroutine) == ("Task-4711", "main")
    assert "seen in read" in stall.rule


def test_holder_of_the_gil_has_its_line_and_the_name_that_it_is_given():
    stall = made(
        [*looks(GIL, 2, holder_id=8), *looks(GIL, holder_id=9)[2:]], thread_name=lambda number: f"thread-{number}"
    )
    assert (stall.holder.function, stall.holder_thread) == ("hold", "thread-9")


def test_want_of_a_cpu_is_the_cause_where_it_alone_made_the_stall():
    assert made(looks(RUNNING, stepped=True), 10 * MS, delay_ns=88 * MS, counted_s=0.1).cause == "descheduled"


def test_time_over_which_nobody_has_counted_is_none_in_which_the_thread_was_stopped():
    middle = looks(RUNNING)[3:6]
    assert made(middle, 29 * MS, counted_s=0.03).cause == "cpu-native"
    assert made(middle, 60 * MS, counted_s=0.1).cause == "cpu"


def test_stack_is_bounded():
    seen = [looks("read", 1)[0]._replace(stack=STACK[:1] * 1000)]
    assert len(made(seen).stack) == DEPTH
