"""The memory that a program and its helper share."""

import os
import sys

import pytest

from loopstall.monitor.outside import slot as module
from loopstall.monitor.outside.slot import NEVER, Seen, Slot

BEGIN = module._SAMPLES_AT
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


def seen(at_ns=5, depth=3, state="running"):
    stack = tuple((f"/app/{number}.py", f"fünf.{number}", number) for number in range(depth))
    return Seen(at_ns, stack, state, False, 0, (), "main", 4711)


@pytest.fixture
def sides():
    ours = Slot.make()
    theirs = Slot(os.dup(ours.fd))
    yield ours, theirs
    ours.close()
    theirs.close()


def test_what_one_side_writes_the_other_reads(sides):
    program, helper = sides
    assert (helper.thread_id, helper.since_s) == (0, NEVER)
    program.attach(77, 0.005)
    program.seconds[0] = 12.5
    assert (helper.thread_id, helper.threshold_s, helper.since_s) == (77, 0.005, 12.5)
    assert helper.add(seen(1))
    assert helper.add(seen(2, depth=64))
    assert program.seen() == [seen(1), seen(2, depth=64)]
    helper.clear()
    assert program.seen() == []
    program.detach()
    assert (helper.thread_id, helper.since_s) == (0, NEVER)


def test_more_than_there_is_room_for_is_left_out(sides):
    program, helper = sides
    taken = 0
    while helper.add(seen(taken, depth=64)):
        taken += 1
    assert taken > 32
    assert [one.at_ns for one in program.seen()] == list(range(taken))


def test_what_is_not_whole_is_left_out(sides):
    program, helper = sides
    helper.add(seen(1))
    helper.add(seen(2))
    file = os.dup(helper.fd)
    first = int.from_bytes(os.pread(file, 8, BEGIN), "little")
    for spoilt in (b"\xff" * 8, b"\0" * 8):
        os.pwrite(file, spoilt, BEGIN + 8 + first)  # the length of the second
        assert program.seen() == [seen(1)]
    os.pwrite(file, (20).to_bytes(8, "little") + b"\xfe" * 20, BEGIN + 8 + first)
    assert program.seen() == [seen(1)]
    os.close(file)
