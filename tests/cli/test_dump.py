"""``loopstall dump PID``: what a running process does, without anything of ours in it."""

import contextlib
import json
import os
import re
import subprocess
import sys

from helpers import loopstall, until
import psutil
import pytest

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process the memory of another one"),
]
NOBODY = 65534
LISTS = sys.version_info >= (3, 14)

PROGRAM = """
import asyncio, queue, re, threading, time

def sleeps():
    time.sleep(600)

def computes():
    while True:
        pass

def matches():
    re.match("(a+)+$", "a" * 60 + "b")

def locks():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

async def inner():
    await asyncio.sleep(600)

async def outer():
    await inner()

async def main():
    waiting = asyncio.create_task(outer(), name="one\\x1b[2Jtwo")
    await asyncio.sleep(0.05)
    print("up", flush=True)
    {body}
    await waiting

{start}
"""
PLAIN = "asyncio.run(main())"
UVLOOP = "import uvloop; uvloop.run(main())"
BARE_UVLOOP = "import uvloop; uvloop.new_event_loop().run_until_complete(main())"
THREAD = "threading.Thread(target=asyncio.run, args=(main(),), name='looping').start(); time.sleep(600)"


@contextlib.contextmanager
def running(folder, body="", start=PLAIN, words=()):
    """Runs a program until it has said that it is up."""
    (folder / "prog.py").write_text(PROGRAM.format(body=body, start=start))
    command = [sys.executable, *words, "prog.py"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def dumped(process, folder, state=""):
    """The dump of the thread with the loop, once the program has come to where it stays; and all of it.

    A machine that is busy with something else lets the thread run only now and then.
    """
    found = []

    def stays():
        done = loopstall("dump", "--json", process.pid, cwd=folder)
        assert done.returncode == 0, done.stderr
        found[:] = [json.loads(done.stdout)]
        looping = [thread for thread in found[0]["threads"] if thread["loop"]]
        return looping and looping[0]["stack"] and (not state or looping[0]["state"] == state)

    assert until(stays, 20), found
    return found[0]["threads"][0], found[0]


@pytest.mark.parametrize("start", [PLAIN, THREAD])
@pytest.mark.parametrize(
    ("function", "state", "syscall"),
    [
        ("sleeps", "in a system call", "clock_nanosleep"),
        ("computes", "runs Python", ""),
        ("matches", "runs native code", ""),
        ("locks", "in a system call", "futex"),
    ],
)
def test_loop_that_is_stuck_shows_where_and_in_which_task(tmp_path, function, state, syscall, start):
    with running(tmp_path, f"{function}()", start) as process:
        thread, whole = dumped(process, tmp_path, state)
    assert (thread["loop"], thread["state"], thread["syscall"]) == ("asyncio", state, syscall)
    functions = [frame["function"] for frame in thread["stack"]]
    assert functions[functions.index(function) + 1] == "main"
    assert thread["coroutine"] == "main"
    assert thread["task"] == "Task-1"
    assert whole["python"] == ".".join(map(str, sys.version_info[:2]))
    assert (thread["thread_id"] == process.pid) == (start == PLAIN)


@pytest.mark.parametrize("start", [PLAIN, UVLOOP, BARE_UVLOOP, THREAD])
def test_loop_that_waits_for_events_says_so(tmp_path, start):
    if "uvloop" in start:
        pytest.importorskip("uvloop")
    with running(tmp_path, start=start) as process:
        thread, _ = dumped(process, tmp_path)
    assert thread["state"] == "waits for events"
    assert thread["loop"] == ("uvloop" if "uvloop" in start else "asyncio")
    assert thread["task"] == ""


@pytest.mark.parametrize("start", [UVLOOP, BARE_UVLOOP])
def test_uvloop_that_is_stuck_names_the_line(tmp_path, start):
    pytest.importorskip("uvloop")
    with running(tmp_path, "sleeps()", start) as process:
        thread, _ = dumped(process, tmp_path)
    assert (thread["loop"], thread["state"]) == ("uvloop", "in a system call")
    assert thread["stack"][0]["function"] == "sleeps"


@pytest.mark.skipif(not LISTS, reason="Python 3.14 and later tell which tasks there are")
def test_other_tasks_are_told_with_what_they_await(tmp_path):
    with running(tmp_path, "sleeps()") as process:
        thread, _ = dumped(process, tmp_path)
        shown = loopstall("dump", process.pid, cwd=tmp_path).stdout
    (task,) = thread["tasks"]
    assert (task["name"], task["coroutine"], task["awaits"]) == ("one\x1b[2Jtwo", "outer", "Future")
    assert [frame["function"] for frame in task["stack"]] == ["sleep", "inner", "outer"]
    assert r"one\x1b[2Jtwo (outer): prog.py:20 in inner, awaits Future" in shown


@pytest.mark.skipif(LISTS, reason="before Python 3.14 it does not tell")
def test_version_that_does_not_tell_the_other_tasks_is_named(tmp_path):
    with running(tmp_path, "sleeps()") as process:
        done = loopstall("dump", process.pid, cwd=tmp_path)
    assert "does not tell from outside which other tasks there are" in done.stdout


def test_text_names_thread_state_task_and_stack_with_source(tmp_path):
    with running(tmp_path, "sleeps()") as process:
        dumped(process, tmp_path)
        lines = loopstall("dump", process.pid, cwd=tmp_path).stdout.splitlines()
    assert lines[0].startswith(f"process {process.pid}, Python ")
    assert lines[1] == f"thread {process.pid} (MainThread), asyncio: in a system call, clock_nanosleep"
    assert lines[2:5] == ["  running task: Task-1 (main)", "    prog.py:5 in sleeps", "        time.sleep(600)"]


HOLDS = """
import re, threading
threading.Thread(target=lambda: re.match("(a+)+$", "a" * 60 + "b"), daemon=True).start()
"""


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs a GIL")
def test_holder_of_the_gil_is_named_with_its_line(tmp_path):
    (tmp_path / "holder.py").write_text(HOLDS)
    with running(tmp_path, "import holder; computes()", words=("-X", "utf8")) as process:
        thread, _ = dumped(process, tmp_path, "waits for the GIL")
        assert thread["holder"]["file"].endswith("holder.py")
        text = loopstall("dump", process.pid, cwd=tmp_path).stdout
    assert "waits for the GIL, held by thread" in text
    assert "at holder.py:3 in <lambda>" in text


def test_process_without_a_loop_says_so_and_shows_its_threads(tmp_path):
    start = "print('up', flush=True); threading.Thread(target=computes, daemon=True).start(); time.sleep(600)"
    with running(tmp_path, start=start) as process:
        said = []

        def runs():
            done = loopstall("dump", process.pid, cwd=tmp_path)
            said[:] = [done.stdout]
            return re.search(r"prog.py:(8|9) in computes", done.stdout)

        assert until(runs, 20), said
    assert "no event loop runs in this process" in said[0]
    assert "in a system call, clock_nanosleep" in said[0]


def test_children_of_a_process_without_a_loop_are_named(tmp_path):
    start = "import subprocess; child = subprocess.Popen(['sleep', '600']); print('up', flush=True); child.wait()"
    with running(tmp_path, start=start) as process:
        (child,) = psutil.Process(process.pid).children()
        try:
            done = loopstall("dump", process.pid, cwd=tmp_path)
        finally:
            child.kill()
    assert f"no event loop runs in this process; its child processes: {child.pid}\n" in done.stdout


def test_process_goes_on_as_before(tmp_path):
    with running(tmp_path, "computes()") as process:
        dumped(process, tmp_path)
        assert psutil.Process(process.pid).status() == psutil.STATUS_RUNNING
        assert process.poll() is None


def test_process_that_cannot_be_looked_at_ends_in_one_sentence(tmp_path):
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            done = loopstall("dump", other.pid, cwd=tmp_path)
        finally:
            other.kill()
    assert done.returncode == 2
    assert done.stderr == f"loopstall: process {other.pid} runs no CPython that can be recognised\n"
    done = loopstall("dump", 2**22 + 1, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"loopstall: there is no process {2**22 + 1}\n")
    assert loopstall("dump", "nothing", cwd=tmp_path).returncode == 2


OTHER_USER = """
import os, sys
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
from loopstall.cli import main
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("words", [("dump",), ("watch", "--pid")])
def test_process_of_another_user_is_refused(tmp_path, words):
    with running(tmp_path) as process:
        code = f"import sys; sys.path[:0] = {sys.path}\nimport loopstall.cli.watch, loopstall.cli.dump\n"
        command = [sys.executable, "-c", code + OTHER_USER.format(nobody=NOBODY), *words, str(process.pid)]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 2
    assert done.stderr == f"loopstall: process {process.pid} is not yours: run as its user or as root\n"
