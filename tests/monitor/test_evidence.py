"""What becomes of samples and counters, made by hand: no loop, no thread and no clock."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from made_stalls import LIBRARY, MS, START, Code, kept_out, reading, sample, stack, stall, view
import pytest

from loopstall.monitor.syscalls import GIL, READY, RUNNING


def test_stall_begins_when_it_did_since_the_watch_began():
    made = stall(watched_since_ns=START - 30 * MS, length=20)
    assert (made.start_ns, made.duration_ns) == (30 * MS, 20 * MS)
    assert made.evidence.threshold_ns == 5 * MS


def test_counters_are_told_as_differences():
    made = stall(
        before=reading(-2, own=10, process=50, gc=3, schedstat=b"99 1000 9"),
        after=reading(101, own=70, process=130, gc=8, schedstat=b"999 5000 99"),
        looking_ns=7 * MS,
    )
    told = made.evidence
    assert (told.window_ns, told.own_cpu_ns, told.gc_ns, told.run_delay_ns) == (103 * MS, 60 * MS, 5 * MS, 4000)
    assert told.other_cpu_ns == 13 * MS  # of 80, without its own and the watchdog's


def test_what_looking_took_is_never_more_than_others_computed():
    assert stall(after=reading(100, own=50, process=52), looking_ns=9 * MS).evidence.other_cpu_ns == 0


@pytest.mark.parametrize(("before", "after"), [(b"", b"1 2 3"), (b"1 2 3", b""), (b"", b"")])
def test_run_delay_is_unknown_where_the_system_did_not_tell_it_both_times(before, after):
    made = stall(before=reading(0, schedstat=before), after=reading(100, schedstat=after))
    assert made.evidence.run_delay_ns is None


def test_no_more_was_throttled_than_the_stall_lasted():
    assert stall(throttled_ns=900 * MS).evidence.throttled_ns == 100 * MS
    assert stall(throttled_ns=9 * MS).evidence.throttled_ns == 9 * MS


def test_samples_of_another_span_do_not_count():
    outside = [sample(-1, calls=("before",)), sample(102, calls=("after",))]
    made = stall([outside[0], sample(50), sample(101), outside[1]])
    assert made.evidence.looks == 2
    assert [glimpse.at_ns for glimpse in made.glimpses] == [50 * MS, 101 * MS]
    assert stall(outside).culprit is None


def test_culprit_is_where_most_samples_were_and_has_its_stack():
    made = stall([sample(10, calls=("early", "<run>")), *(sample(at, calls=("<sleep>", "late")) for at in (20, 30))])
    assert (made.culprit.function, made.culprit.file, made.culprit.line) == ("late", "/home/someone/app.py", 7)
    assert [frame.function for frame in made.stack] == ["sleep", "late"]


def test_loop_between_two_callbacks_is_blamed_where_nobody_else_can_be():
    between = [sample(at, calls=("<run>", "main")) for at in (10, 20)]
    assert stall([*between, sample(30, calls=("handler", "<run>", "main"))]).culprit.function == "handler"
    assert stall(between).culprit.function == "main"


@pytest.mark.parametrize("inner", [(), ("EpollSelector.select",)])
def test_loop_by_itself_is_blamed_for_nothing_that_a_callback_was_seen_in(inner):
    def at(line, *functions):
        inside = [
            (Code(LIBRARY if name == "EpollSelector.select" else "/home/someone/app.py", name), 7) for name in functions
        ]
        return (*inside, (Code(asyncio.base_events.__file__, "BaseEventLoop._run_once"), line), *stack("main"))

    alone = [replace(sample(ms), stack=at(1, *inner)) for ms in (10, 20, 30)]
    assert stall([*alone, replace(sample(35), stack=())]).culprit.function == "main"
    assert stall([*alone, replace(sample(40), stack=at(2, "handler"))]).culprit.function == "handler"


def test_name_and_label_are_the_first_that_are_known():
    made = stall([
        sample(10),
        sample(20, task="first", coroutine="one", label=lambda: "GET /"),
        sample(30, task="second", coroutine="two", label=lambda: "POST /"),
    ])  # fmt: skip
    assert (made.task, made.coroutine, made.label) == ("first", "one", "GET /")
    unnamed = stall([sample(10)])
    assert (unnamed.task, unnamed.coroutine, unnamed.label) == ("", "", "")


def test_sample_on_return_has_a_line_and_is_no_look():
    made = stall(on_return=[sample(90, late=80, calls=("main",), syscall="futex")], overran_ns=80 * MS)
    assert (made.culprit.function, len(made.glimpses)) == ("main", 1)
    assert (made.evidence.looks, made.evidence.syscalls, made.evidence.starved_ns) == (0, (), 100 * MS)
    assert made.evidence.overran_ns == 80 * MS


def test_coming_back_late_is_no_lateness_where_a_handler_ran_in_the_wait():
    seen = sample(50, in_wait=True, syscall="clock_nanosleep")
    assert stall([seen], overran_ns=90 * MS).evidence.overran_ns == 0
    assert stall([sample(50)], overran_ns=90 * MS).evidence.overran_ns == 90 * MS


def test_wait_of_two_signals_at_once_counts_once():
    made = stall([sample(40, late=30, by_signal=True), sample(50, late=35, by_signal=True)])
    assert (made.evidence.asked, made.evidence.late, made.evidence.unanswered_ns) == (2, 2, 40 * MS)


def test_signal_is_late_that_was_long_under_way_or_met_a_call_in_c():
    made = stall([
        sample(10, late=0.3, by_signal=True), sample(20, late=0.5, by_signal=True), sample(30, by_signal=True, in_c=True)
    ])  # fmt: skip
    assert (made.evidence.asked, made.evidence.late) == (3, 2)


def test_watchdog_starved_for_its_longest_wait():
    assert stall([sample(30, late=10), sample(60, late=20)], look_due_ns=START + 50 * MS).evidence.starved_ns == 20 * MS


def test_watchdog_that_never_came_starved_from_when_it_was_to_look_or_the_start():
    assert stall(look_due_ns=START + 30 * MS).evidence.starved_ns == 70 * MS
    assert stall(look_due_ns=START - 30 * MS).evidence.starved_ns == 100 * MS
    assert stall([sample(10)], look_due_ns=START + 20 * MS).evidence.starved_ns == 80 * MS


@pytest.mark.parametrize(
    ("state", "late", "told"),
    [
        (GIL, 0.5, ()),  # it may be the watchdog that has it
        (GIL, 2, (GIL,)),
        ("fsync", 0, ("fsync",)),
        ("fsync", 60, ()),  # it met what came after
        (RUNNING, 0, ()),
        ("", 0, ()),
    ],
)
def test_look_tells_what_the_loop_waited_for_where_that_is_sure(state, late, told):
    assert stall([sample(70, late=late, syscall=state)]).evidence.syscalls == told


@pytest.mark.parametrize(
    ("gil", "state", "late", "free"),
    [(True, RUNNING, 0.5, 1), (True, RUNNING, 2, 0), (True, "read", 0, 0), (False, RUNNING, 0, 0)],
)
def test_gil_was_free_where_the_watchdog_got_it_at_once_while_the_loop_computed(gil, state, late, free):
    told = stall([sample(50, late=late, syscall=state)], gil=gil).evidence
    assert (told.free, told.gil) == (free, gil)


def test_looks_at_c_code_are_counted():
    told = stall([sample(10, in_c=True), sample(20, still=True), sample(30, still=True)]).evidence
    assert (told.looks, told.in_c, told.still) == (3, 1, 2)


def test_thread_that_wants_the_gil_back_held_it_however_busy_another_is():
    views = [view(20, "free", 100), view(30, "hog", 20, READY), view(60, "hog", 60, GIL, calls=("<dumps>", "guilty"))]
    made = kept_out(views=views)
    assert made.cause == "gil-wait"
    assert (made.holder_thread, made.holder.function) == ("hog", "guilty")


def test_thread_that_has_hardly_computed_did_not_hold_the_gil():
    made = kept_out(views=[view(20, "waits", 1, GIL), view(30, "hog", 90, "read")])
    assert made.holder_thread == "hog"


def test_threads_are_looked_at_once_more_where_none_was_seen_in_the_stall():
    late = view(150, "late", 90, GIL)
    assert kept_out(views=[late], look_beside=lambda: [view(100, "now", 90, GIL)]).holder_thread == "now"
    assert kept_out(views=[late]).holder is None


def test_nobody_looks_at_other_threads_where_none_held_the_gil():
    def refused():
        raise AssertionError("another look")

    made = stall([sample(50, syscall="fsync")], [view(50, "hog", 90, GIL)], look_beside=refused)
    assert (made.cause, made.holder, made.holder_thread) == ("blocking-call", None, "")


def test_glimpses_are_eight_at_most_evenly_over_the_stall():
    made = stall([sample(at, syscall="read") for at in range(20)])
    assert [glimpse.at_ns // MS for glimpse in made.glimpses] == [0, 3, 6, 9, 12, 15, 18]
    assert {(glimpse.culprit.function, glimpse.state) for glimpse in made.glimpses} == {("handler", "read")}


@given(
    st.lists(
        st.builds(
            sample,
            st.integers(-20, 130),
            late=st.integers(0, 200),
            by_signal=st.booleans(),
            in_c=st.booleans(),
            still=st.booleans(),
            syscall=st.sampled_from(["", RUNNING, GIL, "read"]),
        ),
        max_size=64,
    ).map(lambda samples: sorted(samples, key=lambda one: one.at_ns))
)
def test_whatever_was_seen_counts_once_and_within_bounds(samples):
    made = stall(samples)
    told = made.evidence
    within = [one for one in samples if 0 <= one.at_ns - START <= 101 * MS]
    assert told.looks + told.asked == len(within)
    assert told.late <= told.asked
    assert max(told.in_c, told.still, told.free, len(told.syscalls)) <= told.looks
    assert told.starved_ns >= 0
    assert 0 <= told.unanswered_ns <= sum(one.at_ns - one.asked_ns for one in within if one.by_signal)
    assert len(made.glimpses) <= min(8, len(within))
    times = [glimpse.at_ns for glimpse in made.glimpses]
    assert times == sorted(times)
    assert (made.culprit is None) == (not within)
