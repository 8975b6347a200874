"""Stacks of another process, read from outside: the same as Python's own, whatever its threads do meanwhile."""

import ast
import contextlib
import itertools
import os
from pathlib import Path
import subprocess
import sys
import time

import pytest

from loopstall.monitor import layout
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.elf import find_runtime
from loopstall.monitor.gil import FREE_THREADED
from loopstall.monitor.process_memory import ProcessMemory
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.unavailable import UnavailableError

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.implementation.name != "cpython", reason="reads CPython on Linux"
)
TARGET = Path(__file__).with_name("target.py")
FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine)


class Target:
    """The program while it stands or runs, and a reader of it."""

    def __init__(self, process):
        self.process = process
        self.runtime = int(process.stdout.readline())
        self.memory = ProcessMemory(process.pid)
        self.reader = RemoteReader(self.memory, self.runtime, sys.version_info[:2], free_threaded=FREE_THREADED)

    def said(self):
        return ast.literal_eval(self.process.stdout.readline())


@contextlib.contextmanager
def running(scene, threads=1, *more):
    command = [sys.executable, "-X", "utf8", TARGET, scene, str(threads), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            yield Target(process)
        finally:
            process.kill()


def comes(true, seconds=20):
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.001)
    return found


@pytest.mark.parametrize("scene", ["sleep", "names", "generator", "coroutine", "calls_in_c", "exec_code"])
def test_stack_is_as_the_program_itself_tells_it(scene):
    with running(scene, 1, "tell") as target:
        (thread_id,), told = target.said(), target.said()
        assert len(told) >= 5
        assert target.reader.look(thread_id) == tuple(told)
        assert target.reader.look(thread_id) == tuple(told)  # from what it has kept


def test_of_a_deep_stack_the_innermost_frames_are_kept():
    with running("deep", 1, "tell") as target:
        (thread_id,), told = target.said(), target.said()
        assert target.reader.look(thread_id) == tuple(told[:DEPTH])


def test_threads_are_listed_and_one_that_is_not_there_stands_nowhere():
    with running("nothing", 3) as target:
        threads = target.said()
        assert sorted(target.reader.threads()) == sorted([target.process.pid, *threads])
        assert target.reader.look(2**22 + 1) is None
        assert target.reader.place(2**22 + 1) is None


def test_process_that_has_ended_is_seen_nowhere():
    with running("sleep", 1, "tell") as target:
        (thread_id,), _ = target.said(), target.said()
        assert target.reader.look(thread_id)
        assert target.reader.place(thread_id)
    reader = target.reader
    assert (reader.look(thread_id), reader.place(thread_id), reader.threads()) == (None, None, [])
    assert (reader.holder(), reader.collects()) == (0, False)


def test_place_stands_while_a_thread_waits_and_changes_while_it_runs_python():
    with running("sleep", 1, "tell") as target:
        (thread_id,), _ = target.said(), target.said()
        assert len({target.reader.place(thread_id) for _ in range(50)} | {target.reader.walk(thread_id)[1]}) == 1
    with running("moving") as target:
        (thread_id,) = target.said()
        seen = set()
        assert comes(lambda: seen.add(target.reader.place(thread_id)) or len(seen) > 10)


@pytest.mark.parametrize("scene", ["generators_in_c", "coroutines"])
def test_code_that_goes_in_and_out_of_c_all_the_time_is_seen_nearly_always(scene):
    with running(scene) as target:
        (thread_id,) = target.said()
        assert comes(lambda: target.reader.look(thread_id))
        seen = [target.reader.look(thread_id) for _ in range(200)]
    assert sum(stack is not None and stack[-1][1].endswith("_bootstrap") for stack in seen) > 150


@contextlib.contextmanager
def apart(thread_id):
    """Has a thread and this process run on CPUs of their own, where there are two: else neither moves for the other."""
    before = os.sched_getaffinity(0)
    ours, *others = sorted(before)
    try:
        if others:
            os.sched_setaffinity(0, {ours})
            os.sched_setaffinity(thread_id, others)
        yield
    finally:
        os.sched_setaffinity(0, before)


def moves(reader, thread_id):
    time.sleep(0.001)
    return reader.moves(thread_id, reader.place(thread_id) or (0, 0))


def test_thread_moves_in_python_and_stands_in_a_long_call():
    with running("long_calls") as target:
        (thread_id,) = target.said()
        assert comes(lambda: (target.reader.look(thread_id) or [("", "", 0)])[0][1] == "sorts")
        assert sum(moves(target.reader, thread_id) for _ in range(200)) < 40
    with running("moving") as target:
        (thread_id,) = target.said()
        seen = []
        with apart(thread_id):
            assert comes(lambda: seen.append(moves(target.reader, thread_id)) or sum(seen) > 20)


CALLED_BY = {"inner": {"middle"}, "middle": {"outer"}, "outer": {"moving"}, "moving": set()}


def test_of_threads_that_run_what_is_told_is_true():
    """They make code, call and return all the time: whatever is told is a chain that there is."""
    told = 0
    with running("moving", 2) as target:
        threads = target.said()
        for number in range(3000):
            seen = target.reader.look(threads[number % 2]) or ()
            names = [name for file, name, _ in seen if file == str(TARGET) and not name.startswith("middle.")]
            told += names[-1:] == ["moving"]
            assert all(caller in CALLED_BY[name] for name, caller in itertools.pairwise(names)), seen
    assert told > 1000


def waits_for(process, thread_id):
    """The first argument of the futex that a thread waits for, 0 where it does something else."""
    call = Path(f"/proc/{process.pid}/task/{thread_id}/syscall").read_text("ascii").split()
    return int(call[1], 16) if call[0] == str(FUTEX) else 0


@pytest.mark.skipif(FREE_THREADED, reason="there is no GIL")
def test_holder_of_the_gil_is_told_and_others_wait_inside_it():
    lines = TARGET.read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("    re.search("))
    with running("hold") as target:
        reader, main = target.reader, target.process.pid
        assert comes(lambda: [one[1] for one in reader.look(reader.holder()) or ()][:2] == ["search", "hold"])
        assert reader.holder() != main
        assert reader.look(reader.holder())[1] == (str(TARGET), "hold", line)
        assert comes(lambda: waits_for(target.process, main) in reader.gil_range())
        assert [one[1] for one in reader.look(main)][-2:] == ["main", "<module>"]


@pytest.mark.skipif(FREE_THREADED, reason="there is no GIL")
def test_busy_threads_hold_the_gil_by_turns():
    with running("busy", 2) as target:
        threads, reader = target.said(), target.reader
        seen, waiting = set(), set()

        def look():
            seen.add(reader.holder())
            waiting.update(one for one in threads if waits_for(target.process, one) in reader.gil_range())
            return set(threads) <= seen and waiting == set(threads)

        assert comes(look)


@pytest.mark.skipif(not FREE_THREADED, reason="there is a GIL")
def test_without_a_gil_nobody_holds_it():
    with running("busy", 2) as target:
        target.said()
        assert {target.reader.holder() for _ in range(200)} == {0}


def test_collection_of_garbage_is_seen_while_it_runs():
    with running("collect") as target:
        assert comes(target.reader.collects)
    with running("nothing") as target:
        target.said()
        time.sleep(0.05)
        assert not any(target.reader.collects() for _ in range(50))


def test_runtime_and_version_are_found_from_outside():
    with running("nothing") as target:
        found = find_runtime(target.memory, target.process.pid)
        assert found == (target.runtime, sys.version_info[:2], FREE_THREADED)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="there is no such section")
def test_runtime_of_a_file_without_symbols_is_found_by_its_section(monkeypatch):
    monkeypatch.setattr("loopstall.monitor.elf._SYMBOL_TABLES", ())
    with running("nothing") as target:
        found = find_runtime(target.memory, target.process.pid)
        assert found == (target.runtime, sys.version_info[:2], FREE_THREADED)


def test_process_without_python_is_said_to_run_none():
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            with pytest.raises(UnavailableError, match="runs no CPython that can be recognised"):
                find_runtime(ProcessMemory(process.pid), process.pid)
        finally:
            process.kill()


def test_process_that_is_not_there_or_not_ones_own_is_said_to_be_so(monkeypatch):
    mine = ProcessMemory(os.getpid())
    with pytest.raises(UnavailableError, match="there is no process 4194305"):
        find_runtime(mine, 4194305)

    def refused(*_args, **_options):
        raise PermissionError

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(UnavailableError, match="not yours: run as its user or as root"):
        find_runtime(mine, 1)


def test_version_that_is_not_known_is_not_read(monkeypatch):
    mine = ProcessMemory(os.getpid())
    with pytest.raises(UnavailableError, match=r"Python 3\.10 keeps its frames in an unknown way"):
        RemoteReader(mine, 4096, (3, 10), free_threaded=False)
    monkeypatch.setattr("loopstall.monitor.elf._NEWEST", (3, 10))
    with (
        running("nothing") as target,
        pytest.raises(UnavailableError, match=r"runs Python 3\.\d+, which is not known here"),
    ):
        find_runtime(target.memory, target.process.pid)
    assert layout.told_version(mine.read, 4096) is None


@pytest.mark.parametrize("room", ["elf", "remote", "outside.helper"])
def test_process_that_reads_imports_little(room):
    """It is started while the program waits for it."""
    code = f"import sys; sys.path.insert(0, {str(Path(layout.__file__).parents[2])!r})\n"
    code += f"import loopstall.monitor.{room}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"loopstall.monitor.{room}" in loaded
    assert {"typing", "re", "dataclasses", "inspect", "pathlib", "enum", "json", "asyncio"} & loaded == set()
