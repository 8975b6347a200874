"""``loopstall watch --pid PID --inject``: a process that runs already watches itself, and is then as it was."""

import contextlib
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

from helpers import loopstall, until
import pytest
from services import loaded
from watched_pid import WATCH, seen

from loopstall.errors import InputError
from loopstall.instrument.injection import check

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process the memory of another one"),
]
takes_scripts = pytest.mark.skipif(not hasattr(sys, "remote_exec"), reason="only Python 3.14 and later run scripts")

PROGRAM = """
import asyncio, atexit, gc, json, os, selectors, sys, threading, time, types

def fds():
    found = {{}}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{{name}}")
        except OSError:
            pass
    return sorted(name for name in found.values() if "libffi" not in name and "/proc/" not in name)

def state():
    uvloop = sys.modules.get("uvloop")
    gc.collect()
    return {{
        "fds": fds(),
        "threads": len(os.listdir("/proc/self/task")),
        "path": sys.path,
        "finders": [str(one) for one in sys.meta_path],
        "collector": len(gc.callbacks),
        "at exit": atexit._ncallbacks(),
        "patched": [asyncio.BaseEventLoop.run_forever.__module__, asyncio.events._set_running_loop.__module__],
        "uvloop": uvloop and "run_forever" in vars(uvloop.Loop),
        "environment": dict(os.environ),
        "select": [sorted(vars(one)) for one in gc.get_objects() if isinstance(one, selectors.BaseSelector)],
        "loops": [sorted(vars(one)) for one in gc.get_objects() if isinstance(one, asyncio.BaseEventLoop)],
        "children": open(f"/proc/self/task/{{os.getpid()}}/children").read(),
    }}

def write():
    said = json.dumps(state())
    with open("state.new", "w") as file:
        file.write(said)
    os.rename("state.new", "state.json")

def sleeps():
    time.sleep(0.06)

async def again(pause=0.1):
    while True:
        await asyncio.sleep(pause)
        sleeps()
        write()

async def once():
    sleeps()

async def main():
    print("up", flush=True)
    {body}

{start}
"""
PLAIN = "asyncio.run(main())"
UVLOOP = "import uvloop; uvloop.run(main())"
THREAD = "threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()\nwhile True: time.sleep(0.01)"
TRIO = "import trio; asyncio.sleep = trio.sleep; trio.run(main)"
LATER = "print('up', flush=True)\nwhile True:\n    asyncio.run(once())\n    time.sleep(0.1)\n    write()"
NAMED = "await asyncio.create_task(again(), name='again and again')"
KINDS = {PLAIN: "asyncio", UVLOOP: "uvloop", THREAD: "asyncio", TRIO: "trio", LATER: "asyncio"}
starts = pytest.mark.parametrize("start", KINDS, ids=["asyncio", "uvloop", "thread", "trio", "later loops"])


@contextlib.contextmanager
def running(folder, start=PLAIN, body=NAMED, flags=(), command=(sys.executable,), **extra):
    """Runs a program until it has said that it is up."""
    pytest.importorskip(KINDS.get(start, "asyncio"))
    (folder / "prog.py").write_text(PROGRAM.format(body=body if start != TRIO else "await again()", start=start))
    with subprocess.Popen(
        [*command, *flags, "prog.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **extra
    ) as process:
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def injected(process, folder, *words, duration="2s", **extra):
    """Watches a program from within for a time."""
    return loopstall("watch", "--pid", process.pid, "--inject", "--duration", duration, *words, cwd=folder, **extra)


@contextlib.contextmanager
def watching(process, folder, *words):
    """Watches a program from within until the command is ended; yields it once it has told of a stall."""
    temporary, lines = folder / "tmp", folder / "lines.jsonl"
    temporary.mkdir()
    with subprocess.Popen(
        [*WATCH, "--pid", str(process.pid), "--inject", "--json-lines", str(lines), *words],
        cwd=folder, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
    ) as command:  # fmt: skip
        try:
            assert until(lambda: lines.exists() and lines.read_text()), process.poll()
            yield command
        finally:
            command.kill()


def state(folder):
    """What the program says of itself, from now on."""
    (folder / "state.json").unlink(missing_ok=True)
    assert until((folder / "state.json").exists)
    return json.loads((folder / "state.json").read_text())


def is_again(folder, before):
    """Says whether the program comes to be as it was."""
    changed = {"any": True}

    def compared():
        changed.clear()
        changed.update({key: (value, before[key]) for key, value in state(folder).items() if value != before[key]})
        return not changed

    assert until(compared, limit=20), changed
    return True


@takes_scripts
@starts
def test_stalls_are_told_as_from_within_and_the_program_is_then_as_it_was(tmp_path, start):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        done, report = seen(process, tmp_path, "blocking-call", "sleeps", "--inject")
        assert is_again(tmp_path, before)
        process.kill()
        assert process.stderr.read() == ""
    assert done.returncode == 0, done.stderr
    stalls = [event["stall"] for event in report["stalls"]]
    of_function = [stall for stall in stalls if (stall["culprit"] or {}).get("function") == "sleeps"]
    assert of_function, (stalls, done.stderr)
    assert "blocking-call" in {stall["cause"] for stall in of_function}
    if start in {PLAIN, UVLOOP, THREAD}:
        assert {stall["task"] for stall in of_function} == {"again and again"}
    assert "from within" in done.stderr
    assert "takes everything back as soon as" not in done.stderr
    assert "looked at from inside" not in done.stderr


@takes_scripts
def test_second_watch_is_as_good_as_the_first_and_leaves_as_little(tmp_path):
    with running(tmp_path) as process:
        before = state(tmp_path)
        for _ in range(3):
            done = injected(process, tmp_path, duration="1s")
            assert done.returncode == 0, done.stderr
            assert "in sleeps, task again and again" in done.stderr
            assert "The time to watch was over." in done.stderr
        assert is_again(tmp_path, before)


@takes_scripts
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ended_command_takes_everything_back(tmp_path, number, code):
    with running(tmp_path) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            assert state(tmp_path) != before
            command.send_signal(number)
            _, said = command.communicate(timeout=60)
        assert command.returncode == code, said
        assert "The watch was interrupted." in said
        assert "prog.py" in said
        assert is_again(tmp_path, before)
        assert not list((tmp_path / "tmp").iterdir())


@takes_scripts
@starts
def test_program_takes_everything_back_by_itself_when_the_command_is_killed(tmp_path, start):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            assert state(tmp_path) != before
            command.kill()
            command.wait()
        assert is_again(tmp_path, before)
        assert until(lambda: not list((tmp_path / "tmp").iterdir()))
        process.kill()
        assert process.stderr.read() == ""


@takes_scripts
def test_main_thread_that_never_runs_is_told_and_finds_nothing_to_run_later(tmp_path):
    body = "await again() if not await asyncio.to_thread(input) else None"
    with running(tmp_path, body=body, stdin=subprocess.PIPE) as process:
        done = injected(process, tmp_path, duration="4s")
        assert done.returncode == 5, done.stderr  # it waits for events, and runs nothing
        assert "begins as soon as that runs Python again" in done.stderr
        assert "nothing was watched" in done.stderr
        process.stdin.write("\n")
        process.stdin.flush()
        assert injected(process, tmp_path).returncode == 0
        process.kill()
        assert process.stderr.read() == ""


@takes_scripts
def test_hang_is_told_while_it_lasts(tmp_path):
    body = "task = asyncio.create_task(again())\n    await asyncio.to_thread(input)\n    time.sleep(4)\n    await task"
    with running(tmp_path, body=body, stdin=subprocess.PIPE) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            process.stdin.write("\n")
            process.stdin.flush()
            told = ""
            while "still blocked for" not in told:
                told = command.stderr.readline()
                assert told, process.poll()
            assert re.search(r"still blocked for [12]\.\d+ s.*prog\.py:\d+ in main", told)
            command.send_signal(signal.SIGINT)
            assert command.wait(60) == 0
        assert is_again(tmp_path, before)


@takes_scripts
def test_forked_child_watches_itself_and_its_parent_is_left_alone(tmp_path):
    start = "if os.fork():\n    os.wait()\nelse:\n    asyncio.run(main())"
    with running(tmp_path, start) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        child = SimpleNamespace(pid=int(children.read_text()))
        try:
            before = state(tmp_path)
            done = injected(child, tmp_path)
            assert is_again(tmp_path, before)
            assert parent.poll() is None
        finally:
            os.kill(child.pid, signal.SIGKILL)
        assert parent.wait(60) == 0
        assert parent.stderr.read() == ""
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


@pytest.fixture
def contained(tmp_path):
    """A program in a container, where it is process 1: its command's number outside, and the words that enter."""
    words = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable)
    if subprocess.run([*words, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces can be made here")
    with running(tmp_path, command=words) as outer:
        (number,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        yield int(number), ["nsenter", "--target", number, "--pid", "--mount", "--root"]
        os.kill(int(number), signal.SIGKILL)


@takes_scripts
def test_process_of_a_container_watches_itself_where_the_command_runs_there(contained, tmp_path):
    _, enter = contained
    words = [*enter, *WATCH, "--pid", "1", "--inject", "--duration", "2s"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


@takes_scripts
def test_host_is_told_that_it_cannot_have_a_containers_process_watch_itself(contained, tmp_path):
    number, _ = contained
    done = injected(SimpleNamespace(pid=number), tmp_path)
    assert done.returncode == 2, done.stderr
    assert "sees other files than this one, as in a container: run loopstall there, or watch it from" in done.stderr
    assert loopstall("watch", "--pid", number, "--duration", "2s", cwd=tmp_path).returncode == 0


@takes_scripts
def test_stall_over_the_limit_ends_in_1(tmp_path):
    with running(tmp_path) as process:
        assert injected(process, tmp_path, "--fail-over", "30ms").returncode == 1
        assert injected(process, tmp_path, "--fail-over", "30s").returncode == 0


@takes_scripts
def test_command_ends_when_the_process_does(tmp_path):
    with running(tmp_path) as process:
        threading.Timer(3, process.kill).start()
        done = injected(process, tmp_path, duration="60s")
    assert done.returncode == 0, done.stderr
    assert "The process has ended." in done.stderr


@takes_scripts
@pytest.mark.parametrize("how", ["flag", "variable"])
def test_process_that_allows_no_remote_debugging_is_told(tmp_path, how):
    flags = ("-X", "disable-remote-debug") if how == "flag" else ()
    env = {**os.environ, "PYTHON_DISABLE_REMOTE_DEBUG": "1"} if how == "variable" else None
    with running(tmp_path, flags=flags, env=env) as process:
        done = injected(process, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "remote debugging disabled" in done.stderr
    assert "Traceback" not in done.stderr


@takes_scripts
def test_process_that_is_watched_already_is_told_and_goes_on_to_be(tmp_path):
    with running(tmp_path) as process, watching(process, tmp_path) as command:
        done = injected(process, tmp_path)
        assert done.returncode == 2, done.stderr
        assert "it is watched already, by another --inject" in done.stderr
        count = (tmp_path / "lines.jsonl").read_text().count("\n")
        assert until(lambda: (tmp_path / "lines.jsonl").read_text().count("\n") > count)
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 0


@takes_scripts
@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("import loopstall\nwith loopstall.watch():\n    asyncio.run(main())", "it is watched already, by itself"),
        ("sys.modules['loopstall'] = types.ModuleType('loopstall')\nasyncio.run(main())", "cannot import loopstall"),
        ("import loopstall\nloopstall.__version__ = '0.0.1'\nasyncio.run(main())", "it has imported loopstall 0.0.1"),
        ("os.environ['LOOPSTALL_WATCH'] = ''\nasyncio.run(main())", "it was started by loopstall watch"),
    ],
)
def test_process_that_cannot_watch_itself_is_told_and_left_as_it_is(tmp_path, start, part):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        done = injected(process, tmp_path)
        assert is_again(tmp_path, before)
    assert done.returncode == 2, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr


NOBODY = 65534


@takes_scripts
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can watch another user's process")
def test_root_watches_the_process_of_another_user(tmp_path):
    code = PROGRAM.format(body=NAMED, start=PLAIN).replace("        write()\n", "")
    see = [sys.executable, "-c", "import loopstall"]
    if subprocess.run(see, cwd="/", user=NOBODY, check=False, capture_output=True).returncode:
        pytest.skip("loopstall is installed where no other user may read it")
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd="/", user=NOBODY, group=NOBODY, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "up\n"
            done = injected(process, tmp_path)
        finally:
            process.kill()
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


def test_wrong_use_is_told(tmp_path):
    for words, part in (
        (("--inject", "prog.py"), "--inject is for --pid"),
        (("--pid", 2**22 + 1, "--inject"), "no process"),
    ):
        done = loopstall("watch", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert part in done.stderr


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="from 3.14 on it can be done")
def test_older_python_is_told(tmp_path):
    with running(tmp_path) as process:
        done = injected(process, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "only 3.14 and later run code of others: watch it from outside" in done.stderr


@pytest.mark.parametrize("free_threaded", [False, True])
def test_other_version_than_the_commands_is_told(free_threaded):
    process = SimpleNamespace(pid=os.getpid(), version=(3, 99), free_threaded=free_threaded)
    with pytest.raises(InputError, match=r"is Python 3\.99, which takes code from the same Python alone"):
        check(process)


APP = """
import time

async def app(scope, receive, send):
    if scope["type"] == "http":
        time.sleep(0.06)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""


@takes_scripts
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_service_watches_itself(tmp_path, loop):
    with loaded(tmp_path, APP, loop, "--lifespan", "off") as (process, ask):
        done = injected(process, tmp_path)
        assert ask()
    assert done.returncode == 0, done.stderr
    assert "blocking-call: app.py:6 in app" in done.stderr
