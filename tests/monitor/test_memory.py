"""Stacks read from this process' own memory: the same as Python's, whatever the thread does meanwhile."""

import asyncio
import itertools
import os
import sys
import threading
import time
from types import FunctionType

from helpers import until
import pytest

from loopstall.monitor import layout
from loopstall.monitor import memory as module
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.gil import has_gil
from loopstall.monitor.kernel import OwnMemory, UnavailableError
from loopstall.monitor.memory import StackReader

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info < (3, 13) or sys.implementation.name != "cpython",
    reason="CPython tells since 3.13 where its frames lie, and Linux shows a process its memory",
)


@pytest.fixture
def reader():
    opened = StackReader()
    yield opened
    opened.close()


class Standing:
    """A thread that stands somewhere, until it is let go."""

    def __init__(self, call):
        self.there, self.may_end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=call, args=(self,))
        self.thread.start()
        self.there.wait()
        while self.thread.native_id is None:
            time.sleep(0.001)

    def wait(self):
        self.there.set()
        self.may_end.wait()

    def __enter__(self):
        return self.thread.native_id

    def __exit__(self, *_):
        self.may_end.set()
        self.thread.join()


def places(stack):
    return [(code.co_filename, code.co_qualname, line) for code, line in stack]


def users(stack):
    """The functions of this file, innermost first."""
    return [name.rpartition(".")[2] for file, name, _ in places(stack) if file == __file__]


def down(depth, then):
    return down(depth - 1, then) if depth else then()


def test_stack_of_a_thread_that_waits_is_as_python_tells_it(reader):
    def here(standing):
        down(3, lambda: [standing.wait() for _ in range(1)])

    with Standing(here) as thread_id:
        time.sleep(0.05)  # until it sleeps
        found = places(reader.look(thread_id).stack)
        frame = next(f for f in sys._current_frames().values() if "here" in [c.f_code.co_name for c in chain(f)])
        assert found == [(f.f_code.co_filename, f.f_code.co_qualname, f.f_lineno) for f in chain(frame)]


def chain(frame):
    while frame is not None:
        yield frame
        frame = frame.f_back


@pytest.mark.parametrize("name", ["ascii", "h\u00e9llo", "\u1fe5\u03ae\u03c4\u03c9\u03c1", "\U00010330\U00010331"])
def test_names_of_every_width_are_read(reader, name):
    def here(standing):
        standing.wait()

    here.__code__ = here.__code__.replace(co_name=name, co_qualname=name)
    with Standing(here) as thread_id:
        assert users(reader.look(thread_id).stack)[1:] == [name]


def test_coroutine_is_on_the_stack_of_its_loop(reader):
    async def inner(standing):
        standing.wait()

    def runs(standing):
        async def outer():
            await inner(standing)

        asyncio.run(outer())

    with Standing(runs) as thread_id:
        assert users(reader.look(thread_id).stack)[1:4] == ["inner", "outer", "runs"]


def test_of_a_deep_stack_the_innermost_frames_are_kept(reader):
    with Standing(lambda standing: down(DEPTH + 50, standing.wait)) as thread_id:
        names = users(reader.look(thread_id).stack)
    assert DEPTH - 10 < len(names) <= DEPTH
    assert set(names[1:]) == {"down"}


def test_place_stands_while_a_thread_waits_and_changes_while_it_runs_python(reader):
    ended = threading.Event()

    def spin():
        number = 0
        while not ended.is_set():
            number += 1

    with Standing(lambda standing: standing.wait()) as thread_id:
        time.sleep(0.05)
        assert len({reader.place(thread_id) for _ in range(50)} | {reader.look(thread_id).place}) == 1
    thread = threading.Thread(target=spin)
    thread.start()
    places = 2 if has_gil() else 3  # with a GIL a thread that is looked at stands where it gave that up
    try:
        seen = set()
        assert until(lambda: seen.add(reader.place(thread.native_id)) or len(seen) >= places)
    finally:
        ended.set()
        thread.join()


def test_thread_that_has_ended_or_never_was_stands_nowhere(reader):
    with Standing(lambda standing: standing.wait()) as thread_id:
        assert reader.look(thread_id) is not None
    assert reader.look(thread_id) is None
    assert reader.place(thread_id) is None
    assert reader.look(2**22 + 1) is None


CALLED_BY = {"inner": {"middle"}, "middle": {"outer"}, "outer": {"busy", "brief"}, "busy": set(), "brief": set()}
"""Who calls whom below."""


def inner(number):
    return sorted(range(number % 7), key=str)


def middle(number):
    return [inner(number) for _ in range(3)]


def outer(number):
    made = (lambda: None).__code__.replace(co_filename=f"made {number % 50}", co_qualname=f"made {number}")
    FunctionType(made, {})()
    return middle(number)


def brief():
    for number in range(50):
        outer(number)


def busy(ended):
    number = 0
    while not ended.is_set():
        number += 1
        outer(number)
        if number % 20 == 0:
            thread = threading.Thread(target=brief)
            thread.start()
            thread.join()


def test_of_threads_that_run_what_is_told_is_true(reader):
    """They make code, call and return all the time, and start others: whatever is told is a chain that there is."""
    ended = threading.Event()
    threads = [threading.Thread(target=busy, args=(ended,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    told = 0
    try:
        for number in range(3000):
            seen = reader.look(threads[number % 3].native_id)
            names = [] if seen is None else users(seen.stack)
            told += names[-1:] == ["busy"]
            assert all(caller in CALLED_BY[name] for name, caller in itertools.pairwise(names))
            time.sleep(0)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert told > 1000


def test_layout_that_does_not_hold_is_not_used(monkeypatch):
    monkeypatch.setattr(module, "_PROVEN", threading.Event())
    monkeypatch.setitem(layout._GROUPS, "object", ("ob_type", "size"))
    with pytest.raises(UnavailableError, match="unknown way"):
        StackReader()


def test_python_that_does_not_tell_its_layout_is_not_read(monkeypatch):
    monkeypatch.setattr(module, "_PROVEN", threading.Event())
    monkeypatch.setattr(layout, "_COOKIE", b"nothing!")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UnavailableError, match="unknown way"):
        StackReader()
    assert os.listdir("/proc/self/fd") == before


def test_memory_that_is_not_there_is_missing():
    memory = OwnMemory()
    kept = b"something to be found"
    address = id(kept) + bytes.__basicsize__ - 1
    assert memory.read(address, len(kept)) == kept
    assert [memory.read(address, 8) for address in (0, 8, -8, 2**63, 2**64 - 8)] == [b""] * 5
    memory.close()
    assert memory.read(address, len(kept)) == b""


def test_memory_that_the_system_does_not_show_is_said_to_be_so(monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(UnavailableError, match="/proc/self/mem: Permission denied"):
        OwnMemory()
