import asyncio
import os
from pathlib import Path
import re
import subprocess
import sys

import pytest

from loopstall.loops import LOOPS
from loopstall.monitor import LagMeter, lag
from loopstall.monitor.kernel import Alarm, UnavailableError
from loopstall.stats.histogram import from_counts

MS = 1_000_000
IDLE_S = 0.3
ROOT = Path(__file__).parents[2]


class ManualClock:
    now = 0

    def __call__(self):
        return self.now


def alarms():
    try:
        Alarm().close()
    except UnavailableError:
        return False
    return True


needs_alarm = pytest.mark.skipif(not alarms(), reason="the system has no timerfd")


def idle(name, *, readable=True):
    """The meter of a loop that does nothing else for a while."""
    reason = LOOPS[name].missing()
    if reason:
        pytest.skip(reason)

    async def main():
        adapter = LOOPS[name].adapter()
        meter = LagMeter(later=adapter.later, readable=adapter.readable if readable else None)
        meter.start()
        await adapter.sleep(IDLE_S)
        meter.stop()
        return meter

    return LOOPS[name].run(main)


def test_lag_is_counted_from_when_the_beat_was_due():
    async def main():
        clock = ManualClock()
        meter = LagMeter(clock=clock, interval_ns=MS)
        meter.start()
        clock.now = 4 * MS
        meter._beat()
        clock.now = 15 * MS
        meter._beat()
        meter.stop()
        return meter

    meter = asyncio.run(main())
    assert [value for value, _ in meter.lags.counts()] == pytest.approx([3 * MS, 10 * MS], rel=0.01)
    assert max(meter.peaks.series().peak_ns) == 10 * MS


def test_beat_that_is_overdue_at_the_end_counts():
    async def main():
        clock = ManualClock()
        meter = LagMeter(clock=clock, interval_ns=MS)
        meter.start()
        clock.now = 31 * MS
        meter.stop()
        return meter.lags.counts()

    ((lag_ns, count),) = asyncio.run(main())
    assert count == 1
    assert lag_ns == pytest.approx(30 * MS, rel=0.01)


def test_loop_blocked_for_several_intervals_lags_by_the_first_expiry_it_missed_and_stands_for_the_others():
    async def main():
        clock = ManualClock()
        meter = LagMeter(clock=clock, interval_ns=MS)
        meter.start()
        clock.now = 6 * MS
        meter._beat()
        return meter.lags.counts()

    counts = asyncio.run(main())
    assert counts == ((pytest.approx(5 * MS, rel=0.01), 1),)
    assert from_counts(counts, expected_interval_ns=MS).count == 5


def test_timer_that_fires_before_it_is_due_tells_no_lag_and_says_so():
    async def main():
        clock = ManualClock()
        meter = LagMeter(clock=clock, interval_ns=MS)
        meter.start()
        clock.now = MS // 2
        meter._beat()
        clock.now = 2 * MS
        meter._beat()
        meter.stop()
        return meter

    meter = asyncio.run(main())
    assert meter.lags.counts() == ((pytest.approx(MS / 2, rel=0.01), 1),)
    (fault,) = meter.faults
    assert fault.startswith("1 of 2 heartbeats came before they were due")


def test_whoever_waits_for_events_is_told_when_each_beat_is_due():
    due = []

    async def main():
        clock = ManualClock()
        meter = LagMeter(clock=clock, interval_ns=MS)
        meter.start(due.append)
        clock.now = 4 * MS
        meter._beat()
        meter.stop()

    asyncio.run(main())
    assert due == [MS, 5 * MS]


@needs_alarm
@pytest.mark.parametrize("name", ["asyncio", "uvloop", "trio"])
def test_idle_loop_has_a_lag_of_its_own_after_every_expiry_of_the_kernels_timer(name, monkeypatch):
    made = []

    class Counted(Alarm):
        def __init__(self):
            super().__init__()
            made.append(self)
            self.moments = []

        def at(self, due_ns):
            self.moments.append(due_ns)
            super().at(due_ns)

    monkeypatch.setattr(lag, "Alarm", Counted)
    meter = idle(name)
    (alarm,) = made
    figures = from_counts(meter.lags.counts())
    assert meter.faults == ()
    assert figures.count >= 10
    assert len(alarm.moments) - figures.count in {0, 1}  # the last one may not have come
    assert all(
        later - sooner >= meter.interval_ns for sooner, later in zip(alarm.moments, alarm.moments[1:], strict=False)
    )
    assert figures.p50_ns > 1


@needs_alarm
@pytest.mark.parametrize("name", ["uvloop", "trio"])
def test_idle_loops_have_comparable_lags(name):
    ratios = []
    for _ in range(3):  # a machine that is busy with something else can disturb one of them
        one, other = (from_counts(idle(loop).lags.counts()).p50_ns for loop in ("asyncio", name))
        ratios.append(other / one)
    assert any(1 / 100 < ratio < 100 for ratio in ratios), ratios


@pytest.mark.parametrize("name", ["asyncio", "uvloop", "trio"])
def test_without_a_kernels_timer_the_loops_own_stands_in_and_never_tells_a_lag_below_zero(name):
    meter = idle(name, readable=False)
    counts = meter.lags.counts()
    beats = sum(count for _, count in counts)
    assert beats + meter.early >= 10
    assert beats == meter.peaks.series().count
    assert from_counts(counts).p50_ns > 1


def test_meter_that_was_never_started_has_seen_nothing():
    meter = LagMeter()
    meter.stop()
    assert list(meter.lags.counts()) == []


@needs_alarm
def test_loop_that_reads_no_files_goes_by_its_own_timers():
    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError

    async def main():
        meter = LagMeter()
        meter.start()
        await asyncio.sleep(0.1)
        meter.stop()
        return sum(count for _, count in meter.lags.counts())

    with asyncio.Runner(loop_factory=Proactor) as runner:
        assert runner.run(main()) >= 5


@needs_alarm
@pytest.mark.parametrize("name", ["asyncio", "uvloop", "trio"])
def test_meter_that_is_stopped_and_started_again_leaves_nothing_open(name):
    if LOOPS[name].missing():
        pytest.skip(LOOPS[name].missing())

    async def main():
        adapter = LOOPS[name].adapter()
        meter = LagMeter(later=adapter.later, readable=adapter.readable)
        await adapter.sleep(0.01)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            meter.start()
            await adapter.sleep(0.005)
            meter.stop()
        await adapter.sleep(0.01)
        return before, len(os.listdir("/proc/self/fd")), sum(count for _, count in meter.lags.counts())

    before, after, beats = LOOPS[name].run(main)
    assert after == before
    assert beats >= 20


@needs_alarm
@pytest.mark.once
def test_bench_holds_idle_loops_against_each_other():
    done = subprocess.run([sys.executable, ROOT / "bench" / "idle_lag.py", "--smoke"], capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("uvloop", "trio"):
        if not LOOPS[name].missing():
            assert re.search(
                rf"^  {name} / asyncio, p50: [\d.]+ \[.*\] \(.* over 5 processes\): comparable$",
                done.stdout,
                re.MULTILINE,
            )
