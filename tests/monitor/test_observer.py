"""Who looks at the loop's thread: what it leaves behind, and what it does to the thread."""

import gc
import math
import os
import sys
import threading
import time
import weakref

import pytest

from loopstall.monitor import observer as module
from loopstall.monitor.observer import Observer
from loopstall.monitor.samples import OtherThreads, frames_beside

MS = 1_000_000
HOUR = 3600 * 1000 * MS
linux = pytest.mark.skipif(sys.platform != "linux", reason="the means are Linux's")


@pytest.fixture
def watch():
    """Starts an observer of this thread, whose loop says it is busy since what ``busy`` returns."""
    started = []

    def start(busy=lambda: 1, threshold_ns=MS):
        faults = []
        observer = Observer(busy_since=busy, threshold_ns=threshold_ns, clock=time.perf_counter_ns,
                            on_fault=faults.append)  # fmt: skip
        observer.faults = faults
        observer.start()
        observer.attach(None)
        started.append(observer)
        return observer

    yield start
    for observer in started:
        observer.stop()


def test_broken_observer_switches_itself_off_and_says_so():
    faults = []

    def broken():
        raise ZeroDivisionError("no")

    observer = Observer(busy_since=broken, threshold_ns=MS, clock=time.perf_counter_ns,
                        on_fault=faults.append)  # fmt: skip
    observer.start()
    observer.attach(None)
    observer.put_off(time.perf_counter_ns(), 1)
    while not faults:
        time.sleep(0.001)
    observer.put_off(time.perf_counter_ns(), 1)  # it does not look again
    observer.stop()
    assert faults == ["watchdog switched off: ZeroDivisionError: no"]


class Bell:
    """An alarm that only says when it would ring."""

    def __init__(self):
        self.at_ns = []

    def at(self, due_ns):
        self.at_ns.append(due_ns)

    def arm(self, delay_ns):
        """Nobody asks."""

    def disarm(self):
        self.at_ns.append(0)


@pytest.mark.parametrize(
    ("waits_until_ms", "set_for_ms", "rings_ms"),
    [(25, 9, [31]), (9.5, 9, [15.5]), (2, 9, []), (25, 12, []), (math.inf, 9, [])],
    ids=["comes back when it is overdue", "just overdue", "was seen", "rings anyway", "waits for ever"],
)
def test_a_wait_that_was_looked_at_is_looked_at_again_when_it_is_overdue(waits_until_ms, set_for_ms, rings_ms):
    now = 0
    observer = Observer(busy_since=lambda: 0, threshold_ns=10 * MS, clock=lambda: now, on_fault=pytest.fail)
    observer._alarm = bell = Bell()
    observer._sampler.look_into_wait = lambda _asked_ns: False
    observer.put_off(0, set_for_ms * MS)
    observer.late_s[0] = waits_until_ms * MS / 1e9
    now = 10 * MS
    observer._look(lambda _pause_ns: False)
    assert bell.at_ns == [pytest.approx(ms * MS) for ms in rings_ms]


class Held:
    """Something that a frame of another thread holds."""


def test_looking_keeps_nothing_alive_that_it_saw():
    may_end, stands = threading.Event(), threading.Event()
    seen = []

    def stand():
        held = Held()
        seen.append(weakref.ref(held))
        stands.set()
        may_end.wait()

    gc.collect()
    gc.disable()  # what only the collector would free is left
    try:
        thread = threading.Thread(target=stand)
        thread.start()
        stands.wait()
        OtherThreads(set(), time.perf_counter_ns).look()
        may_end.set()
        thread.join()
        assert seen[0]() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it collects between bytecodes alone")
def test_no_garbage_is_collected_while_frames_are_taken(monkeypatch):
    """It would run code of the program's under a lock of the interpreter's, and Python 3.11 then hangs."""
    inside, collected = [], []
    take = sys._current_frames

    def taking():
        inside.append(1)
        try:
            return take()
        finally:
            inside.clear()

    def collecting(phase, _info):
        if inside:
            collected.append(phase)

    def deep(depth, then):
        return deep(depth - 1, then) if depth else then()

    may_end = threading.Event()
    threads = [threading.Thread(target=deep, args=(20, may_end.wait)) for _ in range(5)]
    for thread in threads:
        thread.start()
    monkeypatch.setattr(sys, "_current_frames", taking)
    gc.callbacks.append(collecting)
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            deep(5, frames_beside)
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collecting)
        may_end.set()
    assert collected == []


@linux
def test_watchdog_that_pauses_comes_at_once_to_the_next_span(monkeypatch, watch):
    monkeypatch.setattr(module, "_SHORTEST_PAUSE_NS", HOUR)
    span = 1
    observer = watch(lambda: span)
    for number in (1, 2):
        span = number
        observer.put_off(time.perf_counter_ns(), 1000)
        while all(sample.by_signal for sample in observer.take()[0]):
            time.sleep(0.001)


@linux
def test_no_system_call_is_cut_short(watch):
    reader, writer = os.pipe()

    def drain():
        time.sleep(0.2)
        with os.fdopen(reader, "rb", buffering=0) as file:
            while file.read(1 << 16):
                pass

    draining = threading.Thread(target=drain)
    draining.start()
    observer = watch()
    observer.put_off(time.perf_counter_ns(), 20 * MS)
    written = os.write(writer, bytes(3_000_000))
    os.close(writer)
    draining.join()
    assert written == 3_000_000
    assert observer.take()[0]
