"""The heartbeat's probe on a clock that the test sets, with loops that do what it says."""

import asyncio

from manual_clock import MS, Ears, ManualClock
import pytest

from loopstall.monitor.probes import HeartbeatProbe
from loopstall.monitor.probes import heartbeat as heartbeat_module


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ears():
    return Ears()


class Loop:
    """Has timers and no readers; is its own handle."""

    def __init__(self):
        self.asked, self.cancelled = [], 0

    def call_later(self, seconds, callback):
        self.asked.append((seconds, callback))
        return self

    def cancel(self):
        self.cancelled += 1


class Metrics:
    """What libuv tells, as the test sets it."""

    def __init__(self):
        self.waited = self.turned = 0

    def waited_ns(self):
        return round(self.waited * MS)

    def turns(self):
        return self.turned


def heartbeat(clock, ears, monkeypatch=None, metrics=None):
    if metrics is not None:
        monkeypatch.setattr(heartbeat_module, "libuv_of", lambda _loop: metrics)
    loop = Loop()
    probe = HeartbeatProbe(loop, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    probe.install()
    return loop, probe


def test_heartbeat_counts_from_when_the_beat_was_due(clock, ears):
    loop, probe = heartbeat(clock, ears)
    clock.passes(2.5)
    assert probe.busy_since() == 0
    clock.passes(8)
    assert probe.busy_since() == clock.now - 8 * MS
    loop.asked[-1][1]()
    assert ears.spans == [8.0]


def test_heartbeat_takes_the_waiting_out_where_libuv_tells_it(clock, ears, monkeypatch):
    metrics = Metrics()
    loop, _ = heartbeat(clock, ears, monkeypatch, metrics)
    clock.passes(10.5)
    metrics.waited = 3.5
    loop.asked[-1][1]()
    assert ears.spans == [7.0]


def test_heartbeat_slows_down_where_the_loop_has_nothing_else_to_do(clock, ears, monkeypatch):
    metrics = Metrics()
    loop, _ = heartbeat(clock, ears, monkeypatch, metrics)
    intervals = []
    for turns in [1] * 399 + [2] + [1] * 401 + [2]:
        metrics.turned += turns
        clock.passes(1)
        metrics.waited += 1
        loop.asked[-1][1]()
        intervals.append(loop.asked[-1][0])
    assert intervals == [0.0025] * 799 + [0.08, 0.08, 0.0025]


def test_heartbeat_that_was_taken_off_does_not_go_on(clock, ears):
    loop, probe = heartbeat(clock, ears)
    probe.remove()
    assert loop.cancelled == 1


def test_uvloop_tells_how_long_it_has_waited():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        libuv = heartbeat_module.libuv_of(asyncio.get_running_loop())
        before, turns = libuv.waited_ns(), libuv.turns()
        await asyncio.sleep(0.05)
        return libuv.waited_ns() - before, libuv.turns() - turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        waited, turns = runner.run(main())
    assert waited > 10 * MS
    assert turns > 0


def test_loop_that_is_none_of_libuvs_is_timed_by_the_beat_alone():
    loop = asyncio.new_event_loop()
    assert heartbeat_module.libuv_of(loop) is None
    loop.close()
