"""Causes where there is no GIL: who computes keeps nobody from running, and every stall still has its line."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from loopstall.monitor import Monitor
from loopstall.monitor.gil import FREE_THREADED, has_gil

MS = 1_000_000

pytestmark = [
    pytest.mark.skipif(not FREE_THREADED, reason="this Python is not a free-threaded build"),
    pytest.mark.skipif(has_gil(), reason="this free-threaded build was started with a GIL"),
]


def watched(body):
    """The monitor of a loop that ran ``body``, after it has been stopped."""

    async def main():
        monitor = Monitor()
        monitor.start()
        await asyncio.sleep(0.01)
        await body()
        await asyncio.sleep(0.01)
        monitor.stop()
        assert monitor.faults == []
        return monitor

    return asyncio.run(main())


def in_main(body):
    return watched(body)


def in_thread(body):
    found = []
    thread = threading.Thread(target=lambda: found.append(watched(body)))
    thread.start()
    thread.join()
    return found[0]


def longest(monitor):
    return max(monitor.stall_log, key=lambda stall: stall.duration_ns)


def sleeps():
    time.sleep(0.1)


def waits_for_a_lock():
    lock = threading.Lock()

    def hold():
        with lock:
            held.set()
            time.sleep(0.1)

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with lock:
        pass
    thread.join()


def computes():
    total = 0
    for number in range(4_000_000):
        total += number
    return total


def computes_in_c():
    return sum(range(20_000_000))


def backtracks():
    return re.match(r"^(\w+\s?)*$", "a" * 22 + "!")


def crunch(ended):
    while not ended.is_set():
        sum(range(100_000))
        [number * number for number in range(10_000)]


@pytest.mark.parametrize("where", [in_main, in_thread])
@pytest.mark.parametrize(
    ("work", "cause"),
    [
        (sleeps, "blocking-call"),
        (waits_for_a_lock, "blocking-call"),
        (computes, "cpu-python"),
        (computes_in_c, "cpu-native"),
        (backtracks, "cpu-native"),
    ],
)
def test_stall_has_its_line_and_cause_in_any_thread(where, work, cause):
    async def body():
        work()

    stall = longest(where(body))
    assert (stall.culprit.file, stall.culprit.function) == (__file__, work.__name__)
    assert stall.cause in {cause, "descheduled"}  # the latter where the machine is busy with other things
    assert stall.evidence.gil is False
    assert "GIL" not in stall.rule


def test_lock_that_another_thread_holds_is_told_as_a_lock():
    async def body():
        waits_for_a_lock()

    stall = longest(watched(body))
    if stall.cause != "descheduled":
        assert "futex" in stall.rule


def test_stall_beside_threads_that_compute_is_its_own():
    async def body():
        sleeps()

    ended = threading.Event()
    threads = [threading.Thread(target=crunch, args=(ended,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        monitor = watched(body)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    own = [stall for stall in monitor.stall_log if stall.culprit is not None and stall.culprit.function == "sleeps"]
    assert max(stall.duration_ns for stall in own) > 90 * MS
    assert {stall.cause for stall in monitor.stall_log} <= {"blocking-call", "descheduled", "gc"}
    assert all(stall.holder is None for stall in monitor.stall_log)


def test_thread_that_computes_does_not_stall_a_healthy_loop():
    ended = threading.Event()

    async def body():
        for _ in range(100):
            await asyncio.sleep(0.002)

    thread = threading.Thread(target=crunch, args=(ended,))
    thread.start()
    try:
        monitor = watched(body)
    finally:
        ended.set()
        thread.join()
    assert {stall.cause for stall in monitor.stall_log} <= {"descheduled", "gc"}


GIL_HOG = """
import asyncio, threading
from loopstall.monitor import Monitor

def holds():
    return sum(range(30_000_000))

def hog():
    go.wait()
    holds()

go = threading.Event()

async def main():
    monitor = Monitor()
    monitor.start()
    thread = threading.Thread(target=hog, name="the hog")
    thread.start()
    await asyncio.sleep(0.2)
    go.set()
    await asyncio.sleep(0.05)
    thread.join()
    monitor.stop()
    assert not monitor.faults, monitor.faults
    stall = max(monitor.stall_log, key=lambda stall: stall.duration_ns)
    print(stall.cause, stall.holder_thread or "-", stall.holder and stall.holder.function, stall.evidence.gil, sep="|")

asyncio.run(main())
"""


def test_build_that_was_started_with_a_gil_is_one_that_has_it():
    done = subprocess.run(
        [sys.executable, "-c", GIL_HOG], env=os.environ | {"PYTHON_GIL": "1"}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    cause, thread, function, gil = done.stdout.strip().split("|")
    assert gil == "True"
    assert cause in {"gil-wait", "descheduled"}
    if cause == "gil-wait":
        assert (thread, function) in {("the hog", "holds"), ("the hog", "hog"), ("-", "None")}  # it may have ended


def test_gil_is_asked_for_when_a_stall_ends(monkeypatch):
    """An extension may have it enabled at any moment."""
    answers = [False, True]
    monkeypatch.setattr("loopstall.monitor.core.has_gil", lambda: answers.pop(0) if len(answers) > 1 else answers[0])

    async def body():
        sleeps()
        await asyncio.sleep(0.01)
        sleeps()

    long = [stall for stall in watched(body).stall_log if stall.duration_ns > 80 * MS]
    assert long[-1].evidence.gil is True
