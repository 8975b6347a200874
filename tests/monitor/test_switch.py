import faulthandler
import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from loopstall.monitor.switch import Switch, UnavailableError, parse_dump
from loopstall.records import Frame

linux = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")
MS = 1_000_000


def written(switch):
    ready = select.select([switch.reader], [], [], 30)[0]
    time.sleep(0.05)  # until the dump, of which this was the first piece, is whole
    return parse_dump(switch.drain()) if ready else ()


@pytest.fixture
def switch():
    made = Switch(5 * MS)
    yield made
    made.close()


@linux
def test_stack_is_written_in_the_middle_of_a_c_call_that_keeps_the_gil(switch):
    def holds():
        return sum(range(20_000_000))

    switch.arm()
    holds()
    stack = written(switch)
    assert (stack[0].file, stack[0].function) == (__file__, "holds")


@linux
def test_nothing_is_written_while_the_thread_asks_for_delay_in_time(switch):
    patient = Switch(3_600 * 1000 * MS)
    try:
        for _ in range(1000):
            patient.arm()
        assert patient.drain() == b""
    finally:
        patient.close()


@linux
def test_disarmed_switch_writes_nothing(switch):
    switch.arm()
    switch.disarm()
    switch.drain()
    assert select.select([switch.reader], [], [], 0.1)[0] == []


@linux
def test_several_switches_have_signals_of_their_own(switch):
    other = Switch(5 * MS)
    assert other._signal != switch._signal
    other.close()


@linux
def test_everything_is_given_back():
    descriptors = set(os.listdir("/proc/self/fd"))
    made = Switch(5 * MS)
    number = made._signal
    made.arm()
    made.close()
    assert signal.getsignal(number) is signal.SIG_DFL
    assert set(os.listdir("/proc/self/fd")) == descriptors
    assert not faulthandler.unregister(number)


@linux
def test_signals_in_use_are_left_alone():
    code = (
        "import signal\n"
        "for n in range(signal.SIGRTMIN, signal.SIGRTMAX + 1): signal.signal(n, lambda *a: None)\n"
        "from loopstall.monitor.switch import *\n"
        "try: Switch(1000)\n"
        "except UnavailableError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no real-time signal is free" in done.stdout


def test_other_systems_say_why_they_have_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnavailableError, match="darwin"):
        Switch(1000)


def test_last_dump_counts_and_a_cut_one_is_read_as_far_as_it_goes():
    text = (
        b'Stack (most recent call first):\n  File "/old.py", line 1 in old\n'
        b'Stack (most recent call first):\n  File "/a b.py", line 12 in f\n  File "/c.py", line 3 in <module>\n  Fi'
    )
    assert parse_dump(text) == (
        Frame(file="/a b.py", line=12, function="f"),
        Frame(file="/c.py", line=3, function="<module>"),
    )
    assert parse_dump(b"") == ()


@linux
def test_switch_watches_the_thread_that_made_it():
    found = []

    def other():
        made = Switch(5 * MS)
        made.arm()
        sum(range(20_000_000))
        found.extend(written(made))
        made.close()

    thread = threading.Thread(target=other, name="other")
    thread.start()
    thread.join()
    assert any(frame.function == "other" for frame in found)
