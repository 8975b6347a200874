"""The life of a monitor: what it counts, what it leaves alone, and what it gives back."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from stalling import MS, longest, watched

from loopstall.monitor import Monitor

linux = pytest.mark.skipif(sys.platform != "linux", reason="the means are Linux's")


def block(seconds=0.08):
    time.sleep(seconds)


async def blocks():
    await asyncio.sleep(0.01)
    block()
    await asyncio.sleep(0.01)


def test_blocking_call_is_a_stall_with_its_line_and_task(new_loop):
    async def body():
        await asyncio.create_task(blocks(), name="the blocking one")

    monitor = watched(body, new_loop)
    stall = longest(monitor)
    assert stall.duration_ns > 79 * MS
    assert (stall.culprit.file, stall.culprit.function) == (__file__, "block")
    assert (stall.task, stall.coroutine) == ("the blocking one", "blocks")
    assert monitor.stall_log.total_ns >= stall.duration_ns
    assert stall.glimpses
    assert all(0 <= glimpse.at_ns <= stall.duration_ns + MS for glimpse in stall.glimpses)
    assert not monitor.faults


def test_stall_that_lasts_to_the_end_is_counted(new_loop):
    async def body():
        await asyncio.sleep(0.01)
        block()

    assert longest(watched(body, new_loop)).duration_ns > 70 * MS


def test_clean_loop_has_no_stall_of_a_second(new_loop):
    async def body():
        await asyncio.gather(*(asyncio.sleep(0.1) for _ in range(20)))

    assert watched(body, new_loop, threshold_ns=1000 * MS).stall_log.count == 0


def test_waiting_for_a_thread_is_no_stall(new_loop):
    async def body():
        await asyncio.to_thread(time.sleep, 0.3)

    assert watched(body, new_loop, threshold_ns=200 * MS).stall_log.count == 0


def test_loop_that_rests_between_two_runs_has_not_stalled(new_loop):
    monitor = Monitor(threshold_ns=300 * MS)

    async def first():
        monitor.start()

    async def second():
        await asyncio.sleep(0.01)
        monitor.stop()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(first())
        time.sleep(0.5)
        runner.run(second())
    assert list(monitor.stall_log) == []
    assert not monitor.faults


def test_watch_that_is_never_stopped_harms_nobody(new_loop):
    code = f"""
import asyncio, time
from loopstall.monitor import Monitor
{"import uvloop" if new_loop is not asyncio.new_event_loop else ""}
async def main():
    Monitor().start()
    await asyncio.sleep(0.02)
    time.sleep(0.02)
with asyncio.Runner(loop_factory={"uvloop" if new_loop is not asyncio.new_event_loop else "asyncio"}.new_event_loop) as r:
    r.run(main())
time.sleep(0.05)
print("end")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_stopped_from_another_thread_it_stops(new_loop):
    async def body():
        monitor = Monitor(threshold_ns=60 * MS)
        monitor.start()
        await asyncio.to_thread(monitor.stop)
        block()
        await asyncio.sleep(0.01)
        return monitor

    with asyncio.Runner(loop_factory=new_loop) as runner:
        monitor = runner.run(body())
    assert "block" not in {stall.culprit.function for stall in monitor.stall_log if stall.culprit is not None}
    assert (
        monitor.stall_log.total_ns < 80 * MS
    )  # what blocks after the end does not count, not as a part of a span either
    monitor.stop()


def test_stopped_from_another_thread_in_the_middle_of_a_callback_it_counts_what_was_before(new_loop):
    async def body(before):
        monitor = Monitor()
        monitor.start()
        await asyncio.sleep(0.01)
        if before:
            block()
        thread = threading.Thread(target=monitor.stop)
        thread.start()
        thread.join()
        block()
        await asyncio.sleep(0.01)
        return monitor

    for before in (False, True):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            monitor = runner.run(body(before))
        assert all(stall.start_ns + stall.duration_ns <= monitor.wall_ns for stall in monitor.stall_log)
        assert any(stall.duration_ns > 70 * MS for stall in monitor.stall_log) or not before


def test_without_an_alarm_a_thread_polls_and_the_record_says_so(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monitor = watched(blocks)
    assert longest(monitor).culprit.function == "block"
    assert "looked at from inside its process: darwin" in monitor.faults[0]
    assert "polling thread: darwin" in monitor.faults[1]


@linux
def test_threads_descriptors_signals_and_callbacks_are_given_back(new_loop):
    def left():
        handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        return set(os.listdir("/proc/self/fd")), threading.active_count(), list(gc.callbacks), handlers

    async def body():
        before = left()
        for _ in range(3):
            monitor = Monitor()
            monitor.start()
            block(0.02)
            await asyncio.sleep(0)
            monitor.stop()
        return before, left(), vars(asyncio.get_running_loop()).get("run_forever")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        before, after, run_forever = runner.run(body())
    assert before == after
    assert run_forever is None


@linux
def test_programs_own_signals_and_alarms_stay_as_they_were():
    code = """
import asyncio, faulthandler, signal, sys, time
from loopstall.monitor import Monitor
came = []
for name in ("SIGALRM", "SIGPROF", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), lambda number, _: came.append(number))
faulthandler.enable()
faulthandler.dump_traceback_later(3600)
async def main():
    monitor = Monitor()
    monitor.start()
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    await asyncio.sleep(0.01)
    time.sleep(0.1)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)
    monitor.stop()
    return monitor
monitor = asyncio.run(main())
assert came == [signal.SIGALRM, signal.SIGUSR1], came
assert monitor.stall_log.count >= 1 and not monitor.faults, monitor.faults
assert faulthandler.is_enabled()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@linux
def test_forked_copy_of_the_loop_is_not_watched_and_harms_nobody(new_loop):
    code = f"""
import asyncio, os, signal, time
from loopstall.monitor import Monitor
{"import uvloop" if new_loop is not asyncio.new_event_loop else ""}
async def main():
    monitor = Monitor()
    monitor.start()
    await asyncio.sleep(0.02)
    before = monitor.stall_log.count
    child = os.fork()
    if not child:
        time.sleep(0.05)
        taken = [n for n in range(signal.SIGRTMIN, signal.SIGRTMAX) if callable(signal.getsignal(n))]
        os._exit(7 if monitor.stall_log.count == before and not taken else 8)
    time.sleep(0.1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    await asyncio.sleep(0.02)
    monitor.stop()
    assert max(stall.duration_ns for stall in monitor.stall_log) > 80_000_000
    assert not monitor.faults, monitor.faults
with asyncio.Runner(loop_factory={"uvloop" if new_loop is not asyncio.new_event_loop else "asyncio"}.new_event_loop) as r:
    r.run(main())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


@linux
def test_frames_are_read_where_python_is_safe():
    """A handler in C that walked the frames crashed within a second of this, on 3.11, 3.12 and 3.13."""
    code = """
import asyncio, time
from pathlib import Path
from loopstall.monitor import Monitor
class Text:
    def __str__(self):
        return self.inner
    @property
    def inner(self):
        return str(Path("/proc/self/task/12", "stat"))
async def main():
    monitor = Monitor(threshold_ns=1_000_000, sampler="inside")
    monitor.start()
    alarm = monitor._observer._alarm
    end = time.monotonic() + 3
    numbers = list(range(50))
    while time.monotonic() < end:
        for _ in range(20):
            alarm.arm(20_000)
            str(Text()); sorted(numbers, key=lambda number: -number); list(map(str, numbers))
        await asyncio.sleep(0)
    monitor.stop()
    print("alive", monitor.faults)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "alive []\n"), done.stderr


def test_broken_listener_is_a_fault_and_no_crash():
    def broken(_stall):
        raise ZeroDivisionError("of the listener")

    monitor = watched(blocks, on_stall=broken)
    assert monitor.stall_log.count >= 1
    assert any("of the listener" in fault for fault in monitor.faults)
