import asyncio

import pytest

from loopstall.monitor import LagMeter

MS = 1_000_000


class ManualClock:
    now = 0

    def __call__(self):
        return self.now


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

    ((lag, count),) = asyncio.run(main())
    assert count == 1
    assert lag == pytest.approx(30 * MS, rel=0.01)
