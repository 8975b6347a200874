import os
import select
import sys

import pytest

from loopstall.monitor.kernel import Alarm, KeptFile, Poll, UnavailableError, read_file

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
def test_poll_tells_which_file_is_ready():
    first, second = Alarm(), Alarm()
    poll = Poll(first.fd, second.fd)
    poll.wait(0)
    assert not poll.is_ready(first.fd)
    second.arm(1)
    poll.wait()
    assert (poll.is_ready(first.fd), poll.is_ready(second.fd)) == (False, True)
    first.close()
    second.close()


def test_other_systems_say_why_they_have_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnavailableError, match="darwin"):
        Alarm()


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
