"""The helper's loop, turn by turn: programs that come and go, and callers that are none."""

import ctypes
import os
import socket
import sys
import sysconfig
import threading

import pytest

from loopstall.monitor.outside.helper import Helper
from loopstall.monitor.outside.messages import HELLO, NEWS, REFUSED, SEEN, SLOT, packed_hello, rights
from loopstall.monitor.outside.slot import Slot

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")

_MINOR = 22  # where a hello has the second number of the version


@pytest.fixture
def helper():
    made = Helper(listener=None, owner=None, hang_after_s=0.0)
    yield made
    for program in made._programs.values():
        program.gone()


@pytest.fixture
def thread_id():
    """The number of a thread that stands still."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    yield thread.native_id
    ended.set()
    thread.join()


@pytest.fixture
def connect(helper):
    """Connects one more program; returns the program's end of the connection."""
    ours = []

    def connected():
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.setblocking(False)
        ours.append(mine)
        helper.join(theirs)
        return mine

    yield connected
    for mine in ours:
        mine.close()


@pytest.fixture
def hello(thread_id):
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return packed_hello(runtime, thread_id, free_threaded=free_threaded, name="program")


@pytest.fixture
def unknown(hello):
    """The introduction of a program that an interpreter runs of which nothing is known."""
    return hello[:_MINOR] + b"\xff" + hello[_MINOR + 1 :]


def turn(helper):
    for fd, _ in helper.poll.poll(1000):
        helper._handle(fd)
    helper._look()


def open_fds():
    return len(os.listdir("/proc/self/fd"))


def sent_slot(program, alarm):
    """Sends a slot with an alarm, and returns the slot."""
    slot = Slot.make()
    program.sendmsg([SLOT], rights(slot.fd, alarm))
    return slot


def test_program_that_introduces_itself_is_told_what_was_seen_of_it(helper, connect, hello):
    program = connect()
    program.send(hello)
    turn(helper)
    answer = program.recv(1 << 16)
    assert answer[:1] == SEEN
    assert answer.partition(b"\0")[2] == b"Thread._bootstrap"


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        b"\0" * 4096,
        HELLO,
        HELLO + b"\0" * 10,
        SLOT,
        SLOT + b"with words, and no descriptors",
        NEWS + b"{}",
    ],
)
def test_who_sends_what_no_program_sends_is_left_and_the_others_are_looked_at(helper, connect, hello, data):
    silent, foreign, program = connect(), connect(), connect()
    foreign.send(data)
    turn(helper)
    assert foreign.recv(1 << 16) == b""
    program.send(hello)
    turn(helper)
    assert program.recv(1 << 16)[:1] == SEEN
    with pytest.raises(BlockingIOError):  # it is still welcome
        silent.recv(1)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_descriptors_that_are_no_slot_and_alarm_are_given_back(helper, connect, hello, count):
    program = connect()
    program.send(hello)
    turn(helper)
    program.recv(1 << 16)
    before = open_fds()
    program.sendmsg([SLOT], rights(*[program.fileno()] * count))
    turn(helper)
    assert program.recv(1) == b""
    assert open_fds() < before  # the connection's as well


def test_memory_that_is_too_small_for_a_slot_is_given_back(helper, connect, hello):
    program = connect()
    program.send(hello)
    turn(helper)
    program.recv(1 << 16)
    small, before = os.memfd_create("small"), open_fds()
    os.ftruncate(small, 100)
    program.sendmsg([SLOT], rights(small, small))
    turn(helper)
    os.close(small)
    assert program.recv(1) == b""
    assert open_fds() < before


def test_program_of_another_interpreter_is_refused_in_a_sentence(helper, connect, unknown):
    program = connect()
    program.send(unknown)
    turn(helper)
    answer = program.recv(1 << 16)
    assert answer[:1] == REFUSED
    assert b"keeps its frames in an unknown way" in answer


@pytest.mark.parametrize(("runtime", "number"), [(0, 1), (2**64 - 1, 2**64 - 1), (4096, 0)])
def test_program_that_is_not_where_it_says_has_no_stack_to_show(helper, connect, runtime, number):
    program = connect()
    program.send(packed_hello(runtime, number, free_threaded=False, name=""))
    turn(helper)
    assert program.recv(1 << 16)[:1] in {SEEN, REFUSED}


def test_slot_of_a_refused_program_is_given_back_and_it_may_read_why(helper, connect, unknown):
    program = connect()
    before = open_fds()
    program.send(unknown)
    sent_slot(program, program.fileno()).close()
    turn(helper)
    turn(helper)
    assert program.recv(1 << 16)[:1] == REFUSED
    assert open_fds() == before


def test_second_hello_is_not_taken(helper, connect, hello):
    program = connect()
    program.send(hello)
    program.send(hello)
    turn(helper)
    turn(helper)
    assert program.recv(1 << 16)[:1] == SEEN
    assert program.recv(1) == b""


def test_what_is_no_alarm_is_waited_for_once(helper, connect, hello):
    program = connect()
    program.send(hello)
    turn(helper)
    ended, other_end = os.pipe()
    os.close(other_end)
    sent_slot(program, ended).close()
    turn(helper)
    turn(helper)  # its end is told
    assert helper.poll.poll(0) == []
    program.close()
    turn(helper)
    assert helper._programs == {}
    os.close(ended)


def test_alarm_of_a_program_that_goes_in_the_same_turn_is_nobodys(helper, connect, hello, thread_id):
    program = connect()
    program.send(hello)
    turn(helper)
    alarm, ring = os.pipe()
    slot = sent_slot(program, alarm)
    slot.attach(thread_id, 0.005)
    turn(helper)
    (entered,) = helper._programs.values()
    (alarm_fd,) = entered.lookers
    os.write(ring, b"\0" * 8)
    program.close()
    helper._handle(entered.connection.fileno())
    os.dup2(alarm, alarm_fd)  # its number is somebody else's by now
    helper._handle(alarm_fd)  # as told by the same ``poll``
    assert helper._programs == {}
    assert os.read(alarm_fd, 8) == b"\0" * 8  # nobody has read it
    os.close(alarm_fd)
    slot.close()
    os.close(alarm)
    os.close(ring)


def test_caller_that_has_gone_before_it_was_met_leaves_the_listener_open(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    listener.setblocking(False)
    helper = Helper(listener=listener, owner=None, hang_after_s=0.0)
    helper._handle(listener.fileno())  # nobody is there
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as program:
        program.connect(str(tmp_path / "socket"))
        turn(helper)
        assert len(helper._programs) == 1
    turn(helper)
    assert helper._programs == {}
    listener.close()
