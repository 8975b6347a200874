import gc
import os
import sys
import threading
import time
from types import SimpleNamespace

from manual_clock import ManualClock
import pytest

from loopstall.monitor import counters
from loopstall.monitor.counters import Counters, Throttle, cpu_of, futex_of, syscall_of
from loopstall.monitor.syscalls import GIL, RUNNING

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.fixture
def proc(monkeypatch):
    """What /proc says, by the end of the path."""
    files = {}

    def read_file(path, size=4096):
        return next((text[:size] for end, text in files.items() if path.endswith(end)), b"")

    monkeypatch.setattr(counters, "read_file", read_file)
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(machine="x86_64"))
    return files


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"74 0x5 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f00\n", "fsync"),
        (b"230 0x0 0x0 0x7ffd 0x0 0x0 0x0 0x7ffd 0x7f00\n", "clock_nanosleep"),
        (b"9999 0x0 0x0\n", "system call 9999"),
        (b"running\n", RUNNING),
        (b"-1 0x7ffd 0x7f00\n", ""),
        (b"", ""),
    ],
)
def test_system_call_is_named(proc, text, name):
    proc["/task/12/syscall"] = text
    assert syscall_of(12) == name


def test_wait_for_the_gil_is_told_from_any_other_lock_by_its_address(proc):
    proc["/task/1/syscall"] = b"202 0x7f0000001030 0x89 0x0 0x0\n"
    proc["/task/2/syscall"] = b"202 0x7f0000009000 0x89 0x0 0x0\n"
    proc["/task/3/syscall"] = b"0 0x7f0000001030 0x89 0x0 0x0\n"
    assert futex_of(1) == 0x7F0000001030
    assert futex_of(3) == 0
    assert syscall_of(1, futex_of(1)) == GIL
    assert syscall_of(1, futex_of(1) + 40) == GIL
    assert syscall_of(2, futex_of(1)) == "futex"
    assert syscall_of(2) == "futex"


def throttle(folder, group="/a/b", controllers=""):
    (folder / "groups").write_text(f"0:{controllers}:{group}\n")
    return Throttle(root=str(folder), groups=str(folder / "groups"))


@linux
def test_quota_of_version_2_is_found_in_the_group_or_above_it(tmp_path):
    limited = tmp_path / "a"
    (limited / "b").mkdir(parents=True)
    (limited / "b" / "cpu.max").write_text("max 100000\n")
    (limited / "cpu.max").write_text("50000 100000\n")
    (limited / "cpu.stat").write_text("usage_usec 1\nnr_throttled 3\nthrottled_usec 1000\n")
    seen = throttle(tmp_path)
    assert seen.since_last_ns() == 0
    (limited / "cpu.stat").write_text("usage_usec 1\nnr_throttled 4\nthrottled_usec 61000\n")
    assert seen.since_last_ns() == 60_000_000
    assert seen.since_last_ns() == 0


@linux
def test_quota_of_version_1_counts_in_ns(tmp_path):
    limited = tmp_path / "cpu,cpuacct" / "a" / "b"
    limited.mkdir(parents=True)
    (limited / "cpu.cfs_quota_us").write_text("20000\n")
    (limited / "cpu.stat").write_text("nr_periods 9\nthrottled_time 5\n")
    seen = throttle(tmp_path, controllers="cpu,cpuacct")
    (limited / "cpu.stat").write_text("nr_periods 9\nthrottled_time 70000005\n")
    assert seen.since_last_ns() == 70_000_000


def test_without_a_quota_nothing_is_throttled(tmp_path):
    assert throttle(tmp_path).since_last_ns() == 0


def test_collections_are_timed_until_closed():
    ticks = iter(range(0, 10**9, 7))
    made = Counters(lambda: next(ticks))
    assert made.collected not in gc.callbacks
    made.attach()
    made.attach()
    before = made.read().gc_ns
    gc.collect()
    assert made.read().gc_ns >= before + 7
    made.close()
    assert made.collected not in gc.callbacks


@linux
def test_counters_are_those_of_the_thread_that_attached_them():
    made = Counters(time.perf_counter_ns)
    made.attach()
    before = made.read()
    sum(range(2_000_000))
    after = made.read()
    made.close()
    assert after.own_cpu_ns > before.own_cpu_ns
    assert after.run_delay_ns is not None
    assert made.read().run_delay_ns is None


def in_a_thread(work):
    """Runs it there, and returns what it returns."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    (result,) = found
    return result


@linux
def test_file_of_a_thread_is_spared_until_its_loop_has_run_for_a_while_or_has_stalled():
    clock = ManualClock()
    made = Counters(clock)

    def short_lived():
        made.attach(spares=True)
        before = set(os.listdir("/proc/self/fd"))
        soon = made.read()
        clock.passes(49)
        later = made.read()
        unopened = set(os.listdir("/proc/self/fd")) == before
        return soon.run_delay_ns, later.run_delay_ns, unopened

    def stalled():
        made.attach(spares=True)
        return made.read().run_delay_ns, made.read(whole=True).run_delay_ns, made.read().run_delay_ns

    def long_lived():
        made.attach(spares=True)
        clock.passes(51)
        return made.read().run_delay_ns

    assert in_a_thread(short_lived) == (None, None, True)
    before, at_its_end, after = in_a_thread(stalled)
    assert before is None
    assert at_its_end is not None
    assert after >= at_its_end
    assert in_a_thread(long_lived) is not None
    made.close()
    assert made.read(whole=True).run_delay_ns is None


@linux
def test_file_of_the_main_thread_is_spared_by_nobody():
    made = Counters(ManualClock())
    made.attach(spares=True)
    assert made.read().run_delay_ns is not None
    made.close()


@linux
def test_cpu_time_of_a_thread_and_of_one_that_is_not_there():
    assert cpu_of(threading.get_native_id()) > 0
    assert cpu_of(2**22 + 1) == 0  # no kernel gives so high a number


@linux
def test_no_descriptor_is_left():
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        made = Counters(time.perf_counter_ns)
        made.attach()
        made.close()
        syscall_of(threading.get_native_id())
    assert set(os.listdir("/proc/self/fd")) == before
