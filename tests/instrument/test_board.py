"""What a live view shows of a watch, by a clock of the test's own."""

from dataclasses import replace

from helpers import MS, measured
import pytest

from loopstall.instrument.live.board import Board
from loopstall.instrument.live.lag_file import LoopLag
from loopstall.records import StallEvent

S = 1000 * MS
BASE = measured(stalls_ms=(200,)).stalls[0]


class Time:
    """A clock and a calendar, which begin at 100 s and at 1000 s."""

    def __init__(self):
        self.ns = 100 * S

    def __call__(self):
        return self.ns

    def wall(self):
        return 900 + self.ns / S


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def board(clock):
    return Board(title="loopstall watch prog.py", threshold_ns=20 * MS, clock=clock, wall=clock.wall)


def event(at, length_ms, process="prog.py 7", thread="MainThread", cause="cpu-python"):
    stall = replace(BASE, duration_ns=length_ms * MS, cause=cause)
    return StallEvent(stall=stall, length_ns=length_ms * MS, at=at, process=process, thread=thread)


def lag(pid=7, *, thread="MainThread", last_ns=0, longest_ns=None, runs=True):
    return LoopLag(
        pid=pid, process=f"prog.py {pid}", thread=thread, runs=runs, last_ns=last_ns, longest_ns=longest_ns or {}
    )


class Files:
    """What the loops hand over."""

    def __init__(self, *lags):
        self.lags = list(lags)

    def read(self):
        return self.lags

    def close(self):
        pass


def handing_over(board, *lags):
    board._files = Files(*lags)
    return board._files


def test_stall_that_goes_on_grows_until_its_end_is_told(board, clock):
    handing_over(board, lag())
    clock.ns += 300 * MS
    board.hang(event(1000.0, 300))
    assert board.view().loops[0].blocked.for_ns == 300 * MS
    clock.ns += 1700 * MS
    (loop,) = board.view().loops
    assert (loop.blocked.for_ns, loop.now_ns) == (2 * S, 2 * S)
    board.stall(event(1000.0, 2010))
    clock.ns += 300 * MS
    (loop,) = board.view().loops
    assert loop.blocked is None


def test_newer_report_of_a_stall_takes_the_place_of_the_older_one(board, clock):
    handing_over(board, lag())
    board.hang(event(1000.0, 300, cause="unknown"))
    board.hang(event(1000.001, 600, cause="gc"))
    clock.ns += 600 * MS
    assert [loop.blocked.seen.stall.cause for loop in board.view().loops] == ["gc"]


def test_stall_without_an_end_is_over_once_its_loop_has_moved_on(board, clock):
    files = handing_over(board, lag())
    board.hang(event(1000.0, 300))
    clock.ns += S
    assert board.view().loops[0].blocked is not None
    files.lags = [lag(last_ns=100 * S + 400 * MS)]
    clock.ns += S
    assert board.view().loops[0].blocked is None


def test_stall_of_a_process_that_was_killed_is_over(board, clock):
    files = handing_over(board, lag())
    board.hang(event(1000.0, 300))
    assert board.view().loops[0].blocked is not None
    files.lags = []
    clock.ns += S
    assert board.view().loops == ()


def test_stall_of_a_thread_without_a_name_is_its_only_other_loop(board, clock):
    handing_over(board, lag(), lag(thread="worker"))
    board.hang(event(1000.0, 300, thread=""))
    clock.ns += S
    blocked = {loop.thread: loop.blocked is not None for loop in board.view().loops}
    assert blocked == {"worker": True, "MainThread": False}


def test_stall_that_may_be_of_several_loops_is_put_to_none_of_them(board, clock):
    handing_over(board, lag(thread="one"), lag(thread="two"))
    board.hang(event(1000.0, 300, thread=""))
    clock.ns += S
    blocked = {loop.thread: loop.blocked is not None for loop in board.view().loops}
    assert blocked == {"": True, "one": False, "two": False}


def test_loop_whose_lag_is_not_handed_over_has_its_stalls_alone(board, clock):
    clock.ns += 500 * MS
    board.stall(event(1000.1, 150))
    (loop,) = board.view().loops
    assert (loop.floor_ns, loop.runs) == (20 * MS, None)
    assert loop.lags_ns[-1] == 150 * MS
    assert set(loop.lags_ns[:-1]) == {None}


def test_loop_that_hands_its_lag_over_has_that_and_is_there_once(board, clock):
    handing_over(board, lag(longest_ns={100: 7 * MS}))
    board.stall(event(1000.1, 150))
    (loop,) = board.view().loops
    assert (loop.floor_ns, loop.lags_ns[-1]) == (MS, 7 * MS)


def test_loops_of_one_thread_are_one(board):
    handing_over(board, lag(longest_ns={100: 7 * MS}, runs=False), lag(longest_ns={99: 3 * MS}))
    (loop,) = board.view().loops
    assert loop.lags_ns[-2:] == (3 * MS, 7 * MS)
    assert loop.runs is True


def test_blocked_loop_comes_first_and_then_the_one_with_the_longest_lag(board, clock):
    handing_over(board, lag(1), lag(2, longest_ns={100: 9 * MS}), lag(3))
    board.hang(event(1000.0, 300, process="prog.py 3"))
    clock.ns += 400 * MS
    assert [loop.process for loop in board.view().loops] == ["prog.py 3", "prog.py 2", "prog.py 1"]


def test_view_does_not_change_with_what_comes_after(board, clock):
    board.stall(event(1000.0, 150))
    before = board.view()
    board.stall(event(1000.0, 250))
    assert [item.count for item in before.culprits] == [1]
    assert board.document().count == 2
    clock.ns += S
    assert board.view().count == 2
