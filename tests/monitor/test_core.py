import asyncio
import gc
import os
import subprocess
import sys
import threading
import time

import pytest

from loopstall.monitor import Monitor
from loopstall.monitor.watchdog import Watchdog

MS = 1_000_000
linux = pytest.mark.skipif(sys.platform != "linux", reason="the means are Linux's")


def watched(body, **settings):
    async def main():
        monitor = Monitor(**settings)
        monitor.start()
        await body()
        return monitor.stop()

    return asyncio.run(main())


def block():
    time.sleep(0.08)


def test_blocking_call_is_a_stall_with_its_line():
    async def body():
        await asyncio.sleep(0.01)
        block()
        await asyncio.sleep(0.01)

    seen = watched(body)
    longest = max(seen.stalls, key=lambda stall: stall.duration_ns)
    assert longest.duration_ns > 70 * MS
    assert longest.culprit.file == __file__
    assert longest.culprit.function == "block"
    assert seen.stalled_ns >= longest.duration_ns
    assert max(seen.lag_series.peak_ns) >= longest.duration_ns


def test_stall_that_lasts_to_the_end_is_counted():
    async def body():
        await asyncio.sleep(0)
        block()

    assert max(stall.duration_ns for stall in watched(body).stalls) > 70 * MS


def test_no_thread_is_left():
    async def body():
        await asyncio.sleep(0)

    before = threading.active_count()
    watched(body)
    assert threading.active_count() == before


class ManualClock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


def manual(**settings):
    """A monitor whose beats a test gives by hand, on a clock that a test sets."""
    clock = ManualClock()
    monitor = Monitor(clock=clock, interval_ns=MS, **settings)
    return clock, monitor


def test_lag_is_counted_from_when_the_beat_was_due():
    async def main():
        clock, monitor = manual(threshold_ns=5 * MS)
        monitor.start()
        clock.now = 4 * MS
        monitor._beat()
        clock.now = 15 * MS
        monitor._beat()
        clock.now = 15 * MS
        return monitor.stop()

    seen = asyncio.run(main())
    assert [(stall.start_ns, stall.duration_ns) for stall in seen.stalls] == [(5 * MS, 10 * MS)]
    assert [value for value, _ in seen.lag_counts] == pytest.approx([3 * MS, 10 * MS], rel=0.01)
    assert (seen.stall_count, seen.stalled_ns, seen.wall_ns) == (1, 10 * MS, 15 * MS)


def test_memory_is_bounded_and_nothing_is_lost_silently():
    async def main():
        clock, monitor = manual(threshold_ns=5 * MS)
        monitor.start()
        for n in range(250):
            clock.now += 11 * MS + n
            monitor._beat()
        return monitor.stop()

    seen = asyncio.run(main())
    assert (len(seen.stalls), seen.stall_count) == (100, 250)
    assert min(stall.duration_ns for stall in seen.stalls) == 10 * MS + 150


def test_broken_watchdog_switches_itself_off_and_says_so():
    faults = []

    def broken():
        raise ZeroDivisionError("no")

    watchdog = Watchdog(overdue_ns=broken, threshold_ns=MS, switch=None, clock=time.perf_counter_ns,
                        on_fault=faults.append)  # fmt: skip
    watchdog.start()
    watchdog._thread.join(30)
    watchdog.stop()
    assert faults == ["watchdog switched off: ZeroDivisionError: no"]


def longest(seen):
    return max(seen.stalls, key=lambda stall: stall.duration_ns)


@linux
def test_sleep_is_a_blocking_call_in_its_system_call():
    async def body():
        await asyncio.sleep(0.01)
        time.sleep(0.3)
        await asyncio.sleep(0.01)

    stall = longest(watched(body))
    assert stall.cause == "blocking-call"
    assert any("sleep" in name for name in stall.evidence.syscalls)
    assert stall.rule


@linux
def test_long_c_call_that_keeps_the_gil_has_the_right_line_and_cause():
    def holds():
        return sum(range(30_000_000))

    async def body():
        await asyncio.sleep(0.01)
        holds()
        await asyncio.sleep(0.01)

    stall = longest(watched(body))
    assert (stall.culprit.file, stall.culprit.function.rpartition(".")[2]) == (__file__, "holds")
    assert stall.cause in {"cpu-native", "descheduled"}  # the latter where the machine is busy with other things


def test_without_a_switch_a_thread_polls_and_the_record_says_so(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")

    async def body():
        await asyncio.sleep(0.01)
        block()
        await asyncio.sleep(0.01)

    seen = watched(body)
    assert longest(seen).culprit.function == "block"
    assert "darwin" in seen.faults[0]


@linux
def test_threads_descriptors_signals_and_callbacks_are_given_back():
    async def body():
        await asyncio.sleep(0)

    watched(body)
    before = (set(os.listdir("/proc/self/fd")), threading.active_count(), list(gc.callbacks))
    watched(body)
    assert before == (set(os.listdir("/proc/self/fd")), threading.active_count(), list(gc.callbacks))


@linux
def test_forked_copy_of_the_loop_is_not_watched_and_harms_nobody(tmp_path):
    code = """
import asyncio, os, time
from loopstall.monitor import Monitor
async def main():
    monitor = Monitor()
    monitor.start()
    await asyncio.sleep(0.02)
    child = os.fork()
    if not child:
        time.sleep(0.05)
        monitor.stop()
        os._exit(7)
    time.sleep(0.1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    await asyncio.sleep(0.02)
    seen = monitor.stop()
    assert max(stall.duration_ns for stall in seen.stalls) > 80_000_000, seen
    assert not seen.faults, seen.faults
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)
