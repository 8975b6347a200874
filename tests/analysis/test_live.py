"""The lag of a loop by second."""

from helpers import MS

from loopstall.analysis.live import LoopView, lags_of
from loopstall.records.clock import by_second

S = 1000 * MS


def test_span_makes_callbacks_wait_in_each_of_its_seconds():
    assert dict(by_second(1_200 * MS, 3_500 * MS, most=60)) == {1: 2_300 * MS, 2: 1_500 * MS, 3: 500 * MS}


def test_span_that_ends_with_a_second_is_none_of_the_next_one():
    assert dict(by_second(1_990 * MS, 2 * S, most=60)) == {1: 10 * MS}


def test_long_span_fills_no_more_seconds_than_are_of_interest():
    assert [second for second, _ in by_second(0, 100 * S, most=3)] == [96, 97, 98, 99]


def test_seconds_before_the_watch_are_not_known_and_quiet_ones_are_nought():
    lags = lags_of({8: 5 * MS}, now_ns=10 * S + 1, since_ns=7 * S, seconds=6)
    assert lags == (None, None, 0, 5 * MS, 0, 0)


def test_lag_that_was_seen_before_the_view_began_is_shown():
    assert lags_of({3: 5 * MS}, now_ns=5 * S, since_ns=5 * S, seconds=4) == (None, 5 * MS, None, 0)


def test_stall_that_goes_on_counts_to_the_seconds_that_it_has_lasted():
    lags = lags_of({9: 5 * MS}, now_ns=10 * S + 500 * MS, since_ns=0, seconds=4, blocked_ns=1_700 * MS)
    assert lags == (0, 1_700 * MS, 1_500 * MS, 500 * MS)


def test_lag_now_is_that_of_the_present_second_or_the_one_before():
    loop = LoopView(process="p 1", thread="", runs=True, floor_ns=MS, lags_ns=(None, 9 * MS, 3 * MS, 0))
    assert (loop.now_ns, loop.longest_ns) == (3 * MS, 9 * MS)
    unknown = LoopView(process="p 1", thread="", runs=None, floor_ns=MS, lags_ns=(None, None))
    assert (unknown.now_ns, unknown.longest_ns) == (None, None)
