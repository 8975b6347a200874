"""Whether a thread has a CPU, by what the system says of it: files of /proc made by hand."""

import opcode
import sys

import pytest

from loopstall.monitor.outside import target as target_module
from loopstall.monitor.outside.target import ProgramTarget
from loopstall.monitor.syscalls import READY, RUNNING

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

ELSEWHERE = b"7 (python) R " + b"0 " * 35 + b"77 0"  # on a CPU that is never this process'
LONG_CALL = (100, 200)


class Reader:
    """A reader of a thread that stands in a call of C code, or takes steps."""

    steps = again = False

    def __init__(self):
        self.places = []
        """Where it will be met next, the last one first; then in the call for ever."""

    def walk(self, _thread_id):
        return (), LONG_CALL, ("", 0)

    def place(self, _thread_id):
        return self.places.pop() if self.places else LONG_CALL

    def moves(self, _thread_id, _place):
        return self.steps

    def repeats(self, _place):
        return self.again

    def opcode(self, _place):
        return -1

    def gil_range(self):
        return range(0)


class Target(ProgramTarget):
    """A target with files made by hand."""

    def __init__(self):
        super().__init__(1, Reader())
        self.arrivals, self.departures, self.waits = 0, 0, False
        self.switches = False
        """Whether it is given a CPU between any two looks at how often it was."""

    def _read(self, _thread_id, name, _most=512):
        if name == "schedstat":
            self.arrivals += self.switches
            return b"1000 2000 %d" % self.arrivals
        if name == "status":
            return b"Name:\tpython\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t1\n" % (
                self.departures - 1
            )
        if name == "syscall":
            return b"230 0x0 0x0" if self.waits else b"running"
        return ELSEWHERE

    def seen(self, arrivals, departures, *, first=False, waits=False, steps=False):
        self.arrivals, self.departures, self.waits, self._reader.steps = arrivals, departures, waits, steps
        one = self.look(5, first=first, early=lambda _: None)
        return one.state, one.stepped


@pytest.fixture
def target():
    return Target()


def test_thread_has_a_cpu_where_it_was_given_one_more_often_than_it_left_one(target):
    assert target.seen(11, 10, first=True) == (RUNNING, False)
    assert target.seen(11, 11) == (READY, False)
    assert target.seen(12, 11) == (RUNNING, False)


def test_one_that_was_never_met_with_a_cpu_is_not_taken_to_have_one(target):
    assert [target.seen(10 + at, 10 + at, first=not at)[0] for at in range(3)] == [READY] * 3


def test_thread_that_runs_a_call_again_and_again_takes_steps(target):
    assert target.seen(11, 10, first=True) == (RUNNING, False)
    target._reader.again = True
    assert target.seen(11, 10) == (RUNNING, True)


def test_thread_that_goes_from_one_long_call_to_the_next_takes_no_steps(target):
    target._reader.places = [(100, 500), (100, 400), (100, 300)]
    assert target.seen(11, 10, first=True) == (RUNNING, True)
    target._reader.places = [(100, 300)] * 20
    assert target.seen(11, 10) == (RUNNING, False)


@pytest.mark.parametrize("known", [{"waits": True}, {"steps": True}])
def test_count_that_has_fallen_behind_is_learned_from_what_is_known(target, known):
    """The kernel has missed three times that it was given a CPU."""
    target.seen(7 + ("steps" in known), 10, first=True, **known)
    assert target.seen(8, 10) == (RUNNING, False)
    assert target.seen(8, 11) == (READY, False)
    assert target.seen(9, 11, first=True) == (RUNNING, False)  # in the next stall it is known as well


def test_steps_after_which_it_has_lost_its_cpu_teach_nothing(target):
    target.switches = True
    assert target.seen(11, 10, first=True, steps=True) == (RUNNING, True)
    target.switches = False
    assert target.seen(11, 11) == (READY, False)
    assert target.seen(12, 11) == (RUNNING, False)


def test_thread_that_is_switched_at_this_moment_is_not_said_to_compute(target):
    target.switches = True
    assert target.seen(11, 10, first=True) == (READY, False)


def test_where_the_system_does_not_count_it_is_taken_to_run(target):
    target._read = lambda _thread_id, name, _most=512: (
        ELSEWHERE if name == "stat" else b"running" if name == "syscall" else b""
    )
    assert target.look(5, first=True, early=lambda _: None).state == RUNNING


def test_instructions_that_call_or_let_go_may_take_long_and_loads_do_not():
    brief = {name for name, number in opcode.opmap.items() if number in target_module._brief()}
    assert {"LOAD_FAST", "LOAD_CONST", "JUMP_FORWARD"} <= brief
    long = ("CALL", "STORE", "POP_TOP", "BINARY", "RETURN", "FOR_ITER", "CONTAINS", "LOAD_ATTR", "LOAD_GLOBAL", "CACHE")
    assert [name for name in brief if any(part in name for part in long)] == []
