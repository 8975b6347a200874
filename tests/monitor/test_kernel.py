import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from loopstall.monitor.kernel import Alarm, KeptFile, SignalTimer, UnavailableError, read_file

linux = pytest.mark.skipif(sys.platform != "linux", reason="the timers are Linux's")
HOUR = 3600 * 10**9


@linux
def test_alarm_wakes_who_waits_for_it_once():
    alarm = Alarm()
    alarm.arm(1000)
    assert select.select([alarm.fd], [], [], 30)[0] == [alarm.fd]
    alarm.clear()
    assert select.select([alarm.fd], [], [], 0)[0] == []
    alarm.close()


@linux
def test_alarm_that_is_put_off_or_taken_back_wakes_nobody():
    alarm = Alarm()
    for delay in range(1, 200):  # more delays than are prepared
        alarm.arm(HOUR + delay)
    assert select.select([alarm.fd], [], [], 0)[0] == []
    alarm.arm(1)
    alarm.disarm()
    assert select.select([alarm.fd], [], [], 0.05)[0] == []
    alarm.close()


@linux
def test_timer_sends_its_signal_to_this_thread():
    came = []
    timer = SignalTimer(threading.get_native_id())
    signal.signal(timer.signal, lambda *_: came.append(1))
    timer.arm(1000)
    signal.sigtimedwait([], 0)
    for _ in range(10_000_000):
        if came:
            break
    timer.close()
    signal.signal(timer.signal, signal.SIG_DFL)
    assert came == [1]


@linux
def test_two_timers_have_signals_of_their_own():
    first = SignalTimer(threading.get_native_id())
    signal.signal(first.signal, signal.SIG_IGN)
    second = SignalTimer(threading.get_native_id())
    assert first.signal != second.signal
    signal.signal(first.signal, signal.SIG_DFL)
    first.close()
    second.close()


@linux
def test_signals_in_use_are_left_alone():
    code = (
        "import signal\n"
        "for n in range(signal.SIGRTMIN, signal.SIGRTMAX + 1): signal.signal(n, lambda *a: None)\n"
        "from loopstall.monitor.kernel import *\n"
        "try: SignalTimer(1)\n"
        "except UnavailableError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no real-time signal is free" in done.stdout


@pytest.mark.parametrize(("kind", "given"), [(Alarm, ()), (SignalTimer, (1,))])
def test_other_systems_say_why_they_have_none(monkeypatch, kind, given):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnavailableError, match="darwin"):
        kind(*given)


@linux
def test_files_are_read_and_missing_ones_are_empty():
    assert read_file("/proc/self/comm")
    assert read_file("/proc/self/comm", 2) == read_file("/proc/self/comm")[:2]
    assert read_file("/nowhere/at/all") == b""
    kept = KeptFile("/proc/self/comm")
    assert kept.read() == kept.read() == read_file("/proc/self/comm")
    kept.close()
    assert kept.read() == KeptFile("/nowhere/at/all").read() == b""


@linux
def test_no_descriptor_is_left():
    before = set(os.listdir("/proc/self/fd"))
    Alarm().close()
    KeptFile("/proc/self/comm").close()
    read_file("/proc/self/comm")
    assert set(os.listdir("/proc/self/fd")) == before
