"""Turns, tasks and numbers of threads, read from outside, where they cannot be seen by what commands print."""

import asyncio
import contextlib
import ctypes
import os
from pathlib import Path
import subprocess
import sys
import threading
import time

import pytest

from loopstall.monitor import elf
from loopstall.monitor.gil import FREE_THREADED
from loopstall.monitor.process_memory import ProcessMemory
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.task_reader import TaskReader
from loopstall.monitor.thread_numbers import ThreadNumbers
from loopstall.monitor.turn_reader import TurnReader

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.implementation.name != "cpython", reason="reads CPython on Linux"
)


@pytest.fixture(scope="module")
def memory():
    return ProcessMemory(os.getpid())


@pytest.fixture(scope="module")
def reader(memory):
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    return RemoteReader(memory, runtime, sys.version_info[:2], free_threaded=FREE_THREADED, depth=1000)


@pytest.fixture(scope="module")
def tasks(memory, reader):
    return TaskReader(memory, reader, elf.find_asyncio(os.getpid()))


def beside(do, *words):
    """Calls a function in another thread, while this one stands still; returns what it does."""
    found = []

    def does():
        time.sleep(0.05)  # until whoever has started it waits for its end, and moves no more
        found.append(do(*words))

    thread = threading.Thread(target=does)
    thread.start()
    thread.join()
    return found[0]


def test_turn_of_asyncio_says_when_it_began(memory, reader):
    async def main():
        return beside(TurnReader(memory, reader).turn, os.getpid())

    before = time.monotonic_ns()
    began, _ = asyncio.run(main())
    assert before - 10_000_000 <= began <= time.monotonic_ns()


@pytest.mark.skipif(FREE_THREADED, reason="not known of free-threaded builds")
def test_turns_of_other_loops_are_counted_by_changes_of_context(memory, reader):
    uvloop = pytest.importorskip("uvloop")
    turns = TurnReader(memory, reader)

    async def main():
        first = beside(turns.turn, os.getpid())
        again = beside(turns.turn, os.getpid())
        await asyncio.sleep(0)
        return first, again, beside(turns.turn, os.getpid())

    first, again, later = uvloop.run(main())
    assert first[0] == 0
    assert 0 < first[1] == again[1] < later[1]


@pytest.mark.skipif(FREE_THREADED and sys.version_info < (3, 14), reason="not known of this build")
@pytest.mark.parametrize("name", ["plain", "größer", "\U0001f40d", "x" * 5000, None])
def test_name_of_the_running_task_is_as_it_tells_itself(tasks, name):
    async def named():
        return beside(lambda: tasks.name(tasks.running(os.getpid()))), asyncio.current_task().get_name()

    async def main():
        return await asyncio.create_task(named(), name=name)

    told, true = asyncio.run(main())
    assert told == true


def test_nothing_runs_where_no_task_does(tasks):
    assert tasks.name(tasks.running(os.getpid())) == ""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python 3.14 and later tell which tasks there are")
def test_tasks_are_listed_with_what_they_await(tasks):
    async def sleeps():
        await asyncio.sleep(600)

    async def awaits(task):
        await task

    async def main():
        first = asyncio.create_task(sleeps(), name="first")
        second = asyncio.create_task(awaits(first), name="second")
        await asyncio.sleep(0.01)
        found = {task.name: task for task in tasks.tasks(os.getpid())}
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        return found

    found = asyncio.run(main())
    assert [code.co_qualname.rpartition(".")[2] for code, _ in found["first"].stack] == ["sleep", "sleeps"]
    assert found["first"].awaits == "Future"
    assert found["second"].awaits == "task first"


def test_thread_of_a_namespace_has_two_numbers():
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outer:
        if outer.stdout.readline() != "up\n":
            pytest.skip("no namespaces can be made here")
        inner = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii"))
        numbers = ThreadNumbers(inner)
        assert (numbers.inside(inner), numbers.outside(1)) == (1, inner)
        assert numbers.inside(2**22 + 1) == numbers.outside(2**22 + 1) == 0
        outer.communicate("\n")
    own = ThreadNumbers(os.getpid())
    assert own.inside(4711) == own.outside(4711) == 4711
