"""``loopstall watch --pid PID``: the loops of a process that runs already, followed from outside."""

import contextlib
import json
import signal
import subprocess
import sys
import threading

from helpers import loopstall, until
import psutil
import pytest
from services import loaded
from watched_pid import WATCH, seen

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process the memory of another one"),
]

PROGRAM = """
import asyncio, re, sys, threading, time

def sleeps():
    time.sleep(0.12)

def computes():
    end = time.perf_counter() + 0.12
    while time.perf_counter() < end:
        pass

def matches():
    re.match("(a+)+$", "a" * 21 + "b")

def locks():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=0.12)

def short():
    end = time.perf_counter() + 0.001
    while time.perf_counter() < end:
        pass

async def again(function, pause):
    while True:
        await asyncio.sleep(pause)
        function()

async def main():
    print("up", flush=True)
    {body}

{start}
"""
PLAIN = "asyncio.run(main())"
UVLOOP = "import uvloop; uvloop.run(main())"
BARE_UVLOOP = "import uvloop; uvloop.new_event_loop().run_until_complete(main())"
THREAD = "threading.Thread(target=asyncio.run, args=(main(),), name='looping').start(); time.sleep(600)"
TRIO = "import trio; asyncio.sleep = trio.sleep; trio.run(main)"


@contextlib.contextmanager
def running(folder, body, start=PLAIN):
    """Runs a program until it has said that it is up."""
    (folder / "prog.py").write_text(PROGRAM.format(body=body, start=start))
    with subprocess.Popen([sys.executable, "prog.py"], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def watched(process, folder, *words, duration="2s"):
    """Watches a program for a time; returns what the command printed and its report."""
    done = loopstall("watch", "--pid", process.pid, "--duration", duration, "-o", "out.json", *words, cwd=folder)
    return done, json.loads((folder / "out.json").read_text())


def chosen(report, function):
    """The stalls of a function, and all."""
    stalls = [event["stall"] for event in report["stalls"]]
    return [one for one in stalls if (one["culprit"] or {}).get("function") == function], stalls


@pytest.mark.parametrize(
    ("function", "cause"),
    [("sleeps", "blocking-call"), ("computes", "cpu-python"), ("matches", "cpu-native"), ("locks", "blocking-call")],
)
@pytest.mark.parametrize("start", [PLAIN, UVLOOP])
def test_stalls_have_cause_line_coroutine_and_task(tmp_path, function, cause, start):
    if start == UVLOOP:
        pytest.importorskip("uvloop")
    with running(
        tmp_path, f"await asyncio.create_task(again({function}, 0.2), name='again and again')", start
    ) as process:
        done, report = seen(process, tmp_path, cause, function)
    assert done.returncode == 0, done.stderr
    of_function, stalls = chosen(report, function)
    assert of_function, (stalls, done.stderr)
    assert cause in {stall["cause"] for stall in of_function}
    assert {stall["coroutine"] for stall in of_function} == {"again"}
    assert {stall["task"] for stall in of_function} == {"again and again"}
    assert f"in {function}, task again and again" in done.stderr
    assert "Lengths are exact to 5.00 ms" in done.stderr


@pytest.mark.parametrize("start", [THREAD, BARE_UVLOOP, TRIO])
def test_loops_are_found_wherever_they_run(tmp_path, start):
    if start == BARE_UVLOOP:
        pytest.importorskip("uvloop")
    if start == TRIO:
        pytest.importorskip("trio")
    with running(tmp_path, "await again(sleeps, 0.2)", start) as process:
        done, report = seen(process, tmp_path, "blocking-call", "sleeps")
    of_function, stalls = chosen(report, "sleeps")
    assert of_function, (stalls, done.stderr)
    assert {stall["cause"] for stall in of_function} == {"blocking-call"}


@pytest.mark.parametrize("start", [PLAIN, UVLOOP, TRIO])
def test_loop_that_is_always_busy_with_short_callbacks_does_not_stall(tmp_path, start):
    pytest.importorskip({UVLOOP: "uvloop", TRIO: "trio"}.get(start, "asyncio"))
    with running(tmp_path, "await again(short, 0)", start) as process:
        _, report = watched(process, tmp_path, "--threshold", "100ms")
    of_function, stalls = chosen(report, "short")
    assert not [stall for stall in of_function if stall["cause"] == "cpu-python"], stalls


HOLDS = """
def hold():
    while True:
        re.match("(a+)+$", "a" * 24 + "b")
        time.sleep(0.05)
threading.Thread(target=hold, daemon=True).start()
"""


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs a GIL")
def test_holder_of_the_gil_is_named(tmp_path):
    with running(tmp_path, "await again(short, 0.01)", HOLDS + PLAIN) as process:
        done, report = seen(process, tmp_path, "gil-wait")
    waits = [event["stall"] for event in report["stalls"] if event["stall"]["cause"] == "gil-wait"]
    assert waits, (report["stalls"], done.stderr)
    assert {stall["holder"]["function"] for stall in waits} == {"hold"}
    assert "GIL held by thread" in done.stderr


def test_hang_is_told_while_it_lasts_also_of_a_loop_that_was_stuck_before(tmp_path):
    with running(tmp_path, "time.sleep(600)") as process:
        done, report = watched(process, tmp_path, "--stacks", duration="3s")
    told = [line for line in done.stderr.splitlines() if " loopstall: still blocked for " in line]
    assert len(told) >= 2, done.stderr
    assert "prog.py:32 in main" in told[0]
    assert "        time.sleep(600)" in done.stderr
    (stall,) = chosen(report, "main")[0]
    assert stall["cause"] == "blocking-call"
    assert report["watched_ns"] >= stall["duration_ns"]


def test_ctrl_c_ends_it_with_the_summary_and_the_program_goes_on(tmp_path):
    with (
        running(tmp_path, "await again(sleeps, 0.2)") as process,
        subprocess.Popen(
            [*WATCH, "--pid", str(process.pid), "--json-lines", "lines.jsonl", "-o", "page.html"],
            cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        ) as command,
    ):  # fmt: skip
        try:
            assert until(lambda: (tmp_path / "lines.jsonl").read_text() if (tmp_path / "lines.jsonl").exists() else "")
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
        assert process.poll() is None
        assert psutil.Process(process.pid).status() != psutil.STATUS_STOPPED
    assert command.returncode == 0, said
    assert "The watch was interrupted." in said
    assert "prog.py:5 in sleeps (blocking-call)" in said
    assert json.loads((tmp_path / "lines.jsonl").read_text().splitlines()[0])["stall"]["cause"] == "blocking-call"
    assert "prog.py" in (tmp_path / "page.html").read_text()


def test_command_ends_when_the_process_does(tmp_path):
    lines = tmp_path / "lines.jsonl"

    def kill():
        until(lambda: lines.exists() and lines.read_text())
        process.kill()

    with running(tmp_path, "await again(sleeps, 0.2)") as process:
        threading.Thread(target=kill).start()
        done, report = watched(process, tmp_path, "--json-lines", lines, duration="60s")
    assert done.returncode == 0, done.stderr
    assert report["title"] == f"loopstall watch --pid {process.pid}: {sys.executable} prog.py"
    assert "The process has ended." in done.stderr


def test_stall_over_the_limit_ends_in_1(tmp_path):
    with running(tmp_path, "await again(sleeps, 0.2)") as process:
        assert seen(process, tmp_path, "blocking-call", "sleeps", "--fail-over", "100ms")[0].returncode == 1
        assert watched(process, tmp_path, "--fail-over", "30s", duration="1s")[0].returncode == 0


def test_watch_that_met_no_loop_is_inconclusive(tmp_path):
    start = "print('up', flush=True); time.sleep(600)"
    with running(tmp_path, "pass", start) as process:
        done, report = watched(process, tmp_path, duration="1s")
    assert (done.returncode, report["count"]) == (5, 0)
    assert "no event loop runs in it so far" in done.stderr
    assert "No event loop was found in it: nothing was watched." in done.stderr
    assert "No event loop was found in it" in report["about"][0]


def test_wrong_use_is_told(tmp_path):
    for words, part in (
        (("--pid", 1, "prog.py"), "name no program"),
        (("--pid", 1, "-m", "prog"), "name no program"),
        (("--duration", "1s", "prog.py"), "for --pid"),
        (("--pid", 2**22 + 1), "there is no process"),
    ):
        done = loopstall("watch", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert part in done.stderr


APP = """
import time
from fastapi import FastAPI

app = FastAPI()

@app.get("/slow")
async def slow() -> int:
    time.sleep(0.12)
    return 1
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_slow_route_of_a_service_is_named(tmp_path, loop):
    pytest.importorskip("fastapi")
    with loaded(tmp_path, APP, loop, path="/slow") as (process, _):
        done, report = seen(process, tmp_path, "blocking-call", "slow")
    of_function, stalls = chosen(report, "slow")
    assert of_function, (stalls, done.stderr)
    assert {stall["cause"] for stall in of_function} == {"blocking-call"}
    assert f"runs an event loop ({loop})" in done.stderr
