"""The probes on a clock that the test sets, with selectors and loops that do what it says."""

import asyncio
import math
import random
import select
import selectors
import socket

from manual_clock import MS, Ears, ManualClock
import pytest

from loopstall.monitor.probes import EpollProbe, SelectorProbe, probe_for

KEY = selectors.SelectorKey(None, 7, selectors.EVENT_READ, None)


class Selector:
    """Waits, on the clock, for as long as ``takes`` says; looks like one of epoll's."""

    def __init__(self, clock):
        self.clock, self.takes = clock, 0
        self.waiting = lambda: None
        self._fd_to_key, self._selector = {7: KEY}, self

    def select(self, _timeout=None):
        self.waiting()
        self.clock.passes(self.takes)
        return [(KEY, selectors.EVENT_READ)]

    def poll(self, _timeout, _most):
        self.waiting()
        self.clock.passes(self.takes)
        return [(7, select.EPOLLIN), (8, select.EPOLLIN)]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def selector(clock):
    return Selector(clock)


@pytest.fixture(params=[SelectorProbe, EpollProbe])
def kind(request):
    if request.param is EpollProbe and not hasattr(select, "epoll"):
        pytest.skip("epoll is Linux's")
    return request.param


@pytest.fixture
def probe(kind, selector, clock, ears):
    made = kind(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    made.install()
    return made


def wait(selector, timeout, *, takes):
    selector.takes = takes
    assert selector.select(timeout) == [(KEY, selectors.EVENT_READ)]


def test_span_is_from_one_wait_to_the_next(probe, selector, clock, ears):
    wait(selector, 0.01, takes=3)
    clock.passes(7.25)
    assert probe.busy_since() == pytest.approx(clock.now - 7.25 * MS, abs=2)
    wait(selector, 0.01, takes=2)
    assert ears.spans == [7.25]


@pytest.mark.parametrize(("timeout", "lasts"), [(None, math.inf), (0.0101, 11), (10, 10_000)])
def test_it_says_until_when_the_loop_waits_and_since_when_it_works(probe, selector, clock, ears, timeout, lasts):
    began, seen = clock.now, []
    selector.waiting = lambda: seen.append(ears.late_s[0])
    wait(selector, timeout, takes=1)
    assert seen == [pytest.approx((began + lasts * MS) / 1e9)]
    assert ears.late_s[0] == pytest.approx(clock.now / 1e9)


@pytest.mark.parametrize(("timeout", "waits"), [(None, math.inf), (0.05, 20), (0.02, 0)])
def test_loop_does_not_wait_for_what_telling_of_a_span_takes_nor_is_that_its_own(
    probe, selector, clock, ears, timeout, waits, monkeypatch
):
    tell, seen = ears.span, []
    monkeypatch.setattr(ears, "span", lambda *told: (tell(*told), clock.passes(30)))
    selector.waiting = lambda: seen.append(ears.late_s[0] - clock.now / 1e9)
    clock.passes(6)
    wait(selector, timeout, takes=1)
    clock.passes(0.5)
    wait(selector, 0, takes=0)
    assert (ears.spans, ears.overruns) == ([6.0], [])
    assert seen[:1] == [pytest.approx(waits / 1e3, abs=1.1e-3)]  # waits are rounded up to a whole one


def test_loop_that_cannot_be_told_waits_for_as_long_as_it_has_said(selector, clock, ears, monkeypatch):
    monkeypatch.setattr(ears, "span", lambda *_: clock.passes(30))
    probe = SelectorProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
    probe.install()
    clock.passes(6)
    assert probe.before_wait(0.05) == 0.05
    assert ears.late_s[0] == pytest.approx((clock.now + 50 * MS) / 1e9, abs=1.1e-3)


def test_short_spans_are_not_told(probe, selector, clock, ears):
    for _ in range(100):
        clock.passes(0.9)
        wait(selector, 0.1, takes=0.1)
    assert ears.spans == []


@pytest.mark.parametrize("timeout", [None, 10])
def test_coming_back_later_than_a_file_was_expected_belongs_to_the_span_that_follows(
    probe, selector, clock, ears, timeout
):
    probe.expect(clock.now + 4 * MS)
    wait(selector, timeout, takes=30)
    clock.passes(2)
    wait(selector, 0, takes=0)
    assert (ears.overruns, ears.spans) == ([26.0], [28.0])


def test_file_that_was_there_before_the_wait_is_expected_from_its_beginning(probe, selector, clock, ears):
    probe.expect(clock.now + 4 * MS)
    clock.passes(6)
    wait(selector, None, takes=30)
    assert ears.overruns == [30.0]


def test_coming_back_before_a_file_was_expected_is_in_time(probe, selector, clock, ears):
    probe.expect(clock.now + 40 * MS)
    wait(selector, None, takes=30)
    assert ears.overruns == []


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
    assert ears.rests == 10  # the first one may be long as well
    assert len(ears.alive_at) == 11


def test_wait_that_follows_a_stall_asks_for_a_look_where_it_should_end(probe, selector, clock, ears):
    """The alarm has gone off in the stall, and who looks may come back late."""
    for length, more in ((0.5, 1), (0.5, 0), (4, 0), (6, 1), (0.5, 0)):  # the first wait of all may be long
        before = ears.rests
        clock.passes(length)
        wait(selector, 0.05, takes=0.5)
        assert ears.rests - before == more, length


def test_while_it_waits_it_is_not_busy(kind, clock, ears):
    class Asking(Selector):
        def select(self, _timeout=None):
            seen.append(probe.busy_since())

        def poll(self, _timeout, _most):
            seen.append(probe.busy_since())
            raise InterruptedError  # which a wait may end with

    seen = []
    selector = Asking(clock)
    probe = kind(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears)
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
    wait(selector, 0, takes=0)
    assert (ears.spans, other_ears.spans) == ([], [9.0])
    other.remove()
    assert "select" not in vars(selector)
    wait(selector, 0, takes=0)


def test_outer_probe_taken_off_first_leaves_the_inner_one(probe, selector, clock, ears):
    other = SelectorProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=Ears())
    other.install()
    other.remove()
    clock.passes(9)
    wait(selector, 0, takes=0)
    assert ears.spans == [9.0]
    probe.remove()
    assert "select" not in vars(selector)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll is Linux's")
def test_wait_by_epoll_returns_what_the_standard_library_returns():
    chance = random.Random(1)
    selector = selectors.EpollSelector()
    pairs = [socket.socketpair() for _ in range(20)]
    for end, other in pairs:
        selector.register(end, chance.choice([1, 2, 3]), data=other)
    probe = EpollProbe(selector, threshold_ns=5 * MS, floor_ns=MS, clock=ManualClock(), listener=Ears())
    for _ in range(50):
        chance.choice(pairs)[1].send(b".")
        expected = selector.select(0)
        probe.install()
        assert selector.select(0) == expected
        assert selector.select(-1) == expected
        probe.remove()
    for end, other in pairs:
        selector.unregister(end)
        end.close()
        other.close()
    probe.install()
    assert selector.select(0.001) == []
    selector.close()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll is Linux's")
def test_selector_that_somebody_has_changed_is_wrapped_instead(clock, ears):
    def kind_for(selector):
        loop = asyncio.SelectorEventLoop(selector)
        try:
            return type(probe_for(loop, threshold_ns=5 * MS, floor_ns=MS, clock=clock, listener=ears))
        finally:
            loop.close()

    class Own(selectors.EpollSelector):
        pass

    changed = selectors.EpollSelector()
    changed.select = changed.select
    assert kind_for(selectors.EpollSelector()) is EpollProbe
    assert kind_for(Own()) is kind_for(changed) is kind_for(selectors.SelectSelector()) is SelectorProbe


def test_loop_that_goes_on_at_once_gives_no_sign_anew_and_one_that_goes_on_later_does(probe, clock, ears):
    begun = list(ears.alive_at)
    clock.passes(1)
    probe.resume()
    assert ears.alive_at == begun
    assert ears.late_s[0] == pytest.approx(clock() / 1e9)
    assert probe.busy_since() == pytest.approx(clock(), abs=1000)
    clock.passes(50)
    probe.resume()
    assert ears.alive_at == [*begun, pytest.approx(clock(), abs=1000)]
    assert ears.late_s[0] == pytest.approx(clock() / 1e9)
    assert ears.spans == []
