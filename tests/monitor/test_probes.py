"""The probes on a clock that the test sets, with selectors and loops that do what it says."""

import asyncio

import pytest

from loopstall.monitor.probes import HeartbeatProbe, SelectorProbe
from loopstall.monitor.probes import heartbeat as heartbeat_module

MS = 1_000_000


class ManualClock:
    def __init__(self):
        self.now = 1000 * MS

    def __call__(self):
        return self.now

    def passes(self, ms):
        self.now += round(ms * MS)


class Ears:
    def __init__(self):
        self.spans, self.overruns, self.alive_at, self.rests = [], [], [], 0

    def alive(self, now, watchdog_ns, signal_ns):
        assert watchdog_ns < signal_ns
        self.alive_at.append(now)

    def rest(self):
        self.rests += 1

    def overran(self, due, now):
        self.overruns.append((now - due) / MS)

    def span(self, start, end):
        self.spans.append((end - start) / MS)


class Selector:
    """Waits, on the clock, for as long as ``takes`` says."""

    def __init__(self, clock):
        self.clock, self.takes = clock, 0

    def select(self, _timeout=None):
        self.clock.passes(self.takes)
        return ["event"]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def selector(clock):
    return Selector(clock)


@pytest.fixture
def probe(selector, clock, ears):
    made = SelectorProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    made.install()
    return made


def wait(selector, timeout, *, takes):
    selector.takes = takes
    return selector.select(timeout)


def test_span_is_from_one_wait_to_the_next(probe, selector, clock, ears):
    assert wait(selector, 0.01, takes=3) == ["event"]
    clock.passes(7.25)
    assert probe.busy_since() == clock.now - 7.25 * MS
    wait(selector, 0.01, takes=2)
    assert ears.spans == [7.25]


def test_short_spans_are_not_told(probe, selector, clock, ears):
    for _ in range(100):
        clock.passes(0.9)
        wait(selector, 0.1, takes=0.1)
    assert ears.spans == []


def test_coming_back_later_than_asked_for_belongs_to_the_span_that_follows(probe, selector, clock, ears):
    wait(selector, 0.010, takes=30)
    clock.passes(2)
    wait(selector, 0, takes=0)
    assert (ears.overruns, ears.spans) == ([20.0], [22.0])


def test_waits_are_rounded_up_to_a_ms_as_asyncio_does(probe, selector, ears):
    wait(selector, 0.0101, takes=11.9)
    assert ears.overruns == []


@pytest.mark.parametrize("timeout", [None, 1000])
def test_long_wait_for_events_is_no_stall(probe, selector, ears, timeout):
    wait(selector, timeout, takes=60_000)
    wait(selector, timeout, takes=60_000)
    assert (ears.overruns, ears.spans) == ([], [])


def test_negative_wait_counts_as_none(probe, selector, ears):
    wait(selector, -5, takes=4)
    assert ears.overruns == [4.0]


def test_signs_of_life_are_bounded(probe, selector, clock, ears):
    for _ in range(1000):
        clock.passes(0.1)
        wait(selector, 0, takes=0)
    assert 20 < len(ears.alive_at) < 100


def test_loop_that_waits_for_long_asks_for_no_looks_meanwhile(probe, selector, clock, ears):
    for _ in range(10):
        clock.passes(0.1)
        wait(selector, 1, takes=100)
    assert ears.rests == 9  # from the second on: the first wait was not known to be long
    assert len(ears.alive_at) == 11


def test_while_it_waits_it_is_not_busy(clock, ears):
    class Asking(Selector):
        def select(self, _timeout=None):
            seen.append(probe.busy_since())

    seen = []
    selector = Asking(clock)
    probe = SelectorProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    probe.install()
    selector.select(0.01)
    assert seen == [0]


def test_what_lies_between_two_runs_is_no_span(probe, selector, clock, ears):
    clock.passes(9000)
    probe.restart()
    clock.passes(2)
    wait(selector, 0, takes=0)
    assert ears.spans == [2.0]


def test_selector_is_left_as_it_was(probe, selector, clock, ears):
    probe.remove()
    assert "select" not in vars(selector)
    clock.passes(50)
    wait(selector, 0, takes=0)
    assert ears.spans == []


def test_probes_taken_off_in_any_order_leave_the_selector_working(probe, selector, clock, ears):
    other_ears = Ears()
    other = SelectorProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=other_ears)
    other.install()
    probe.remove()  # the inner one first
    clock.passes(9)
    assert wait(selector, 0, takes=0) == ["event"]
    assert (ears.spans, other_ears.spans) == ([], [9.0])
    other.remove()
    assert wait(selector, 0, takes=0) == ["event"]


class Handle:
    def cancel(self):
        pass


class Loop:
    def __init__(self):
        self.asked = []

    def call_later(self, seconds, callback):
        self.asked.append((seconds, callback))
        return Handle()


def heartbeat(clock, ears, idle_time=None, monkeypatch=None):
    if idle_time is not None:
        monkeypatch.setattr(heartbeat_module, "_libuv_idle_time", lambda _loop: idle_time)
    loop = Loop()
    probe = HeartbeatProbe(loop, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    probe.install()
    return loop, probe


def test_heartbeat_counts_from_when_the_beat_was_due(clock, ears):
    loop, probe = heartbeat(clock, ears)
    clock.passes(1)
    assert probe.busy_since() == 0
    clock.passes(8)
    assert probe.busy_since() == clock.now - 8 * MS
    loop.asked[-1][1]()
    assert ears.spans == [8.0]


def test_heartbeat_takes_the_waiting_out_where_libuv_tells_it(clock, ears, monkeypatch):
    waited = [0]
    loop, _ = heartbeat(clock, ears, lambda: waited[0], monkeypatch)
    clock.passes(3.5)
    waited[0] += round(3.5 * MS)
    clock.passes(7)
    loop.asked[-1][1]()
    assert ears.spans == [7.0]


def test_heartbeat_slows_down_where_the_loop_waits_and_hurries_where_it_works(clock, ears, monkeypatch):
    waited = [0]
    loop, _ = heartbeat(clock, ears, lambda: waited[0], monkeypatch)
    clock.passes(1)
    waited[0] += MS
    loop.asked[-1][1]()
    assert loop.asked[-1][0] == pytest.approx(0.004)
    clock.passes(4)
    waited[0] += 3 * MS
    loop.asked[-1][1]()
    assert loop.asked[-1][0] == pytest.approx(0.001)


def test_heartbeat_that_was_taken_off_does_not_go_on(clock, ears):
    loop, probe = heartbeat(clock, ears)
    beat = loop.asked[-1][1]
    probe.remove()
    clock.passes(100)
    beat()
    assert (len(loop.asked), ears.spans) == (1, [])


def test_uvloop_tells_how_long_it_has_waited():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        idle_time = heartbeat_module._libuv_idle_time(asyncio.get_running_loop())
        before = idle_time()
        await asyncio.sleep(0.05)
        return idle_time() - before

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) > 10 * MS


def test_loop_that_is_none_of_libuvs_is_timed_by_the_beat_alone():
    loop = asyncio.new_event_loop()
    assert heartbeat_module._libuv_idle_time(loop) is None
    loop.close()
