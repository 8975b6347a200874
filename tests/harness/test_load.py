import asyncio
import itertools
import statistics

import pytest

from loopstall.harness.load import DISTINCT_SEEDS, JobLog, WrongResultError, drive, due_times
from loopstall.loops import LOOPS
from loopstall.loops.asyncio_adapter import AsyncioAdapter
from loopstall.monitor.kernel import UnavailableError
from loopstall.records import Load
from loopstall.records.clock import now_ns

pytestmark = pytest.mark.alone

MS = 1_000_000


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


def drive_with(load, call, clock, check=lambda seed, result: None, *, settle=True):
    log = JobLog(check)

    async def main():
        await drive(call, load, log, seed=7, started_ns=0, adapter=AsyncioAdapter(), clock=clock)

    asyncio.run(main())
    if settle:
        log.settle()
    return log


def test_closed_load_does_exactly_the_jobs_asked_for():
    seen = []

    async def call(seed):
        seen.append(seed)

    log = drive_with(Load(jobs=11, concurrency=3), call, Clock())
    assert (log.jobs, len(seen)) == (11, 11)
    assert set(seen) == {7 + n for n in range(DISTINCT_SEEDS)}


def test_closed_load_never_has_more_jobs_at_a_time_than_asked_for():
    running, most = 0, 0

    async def call(_seed):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    drive_with(Load(jobs=20, concurrency=4), call, Clock())
    assert most == 4


def test_closed_load_takes_no_new_job_after_its_seconds():
    clock = Clock()

    async def call(_seed):
        clock.now += 30 * MS

    log = drive_with(Load(seconds=0.1, concurrency=1), call, clock)
    assert log.jobs == 4


def test_response_counts_from_when_the_job_was_due_and_service_from_its_start():
    clock = Clock()

    async def call(_seed):
        clock.now += 10 * MS

    log = drive_with(Load(jobs=4, concurrency=2), call, clock)
    services = [value for value, count in log.service.counts() for _ in range(count)]
    responses = [value for value, count in log.response.counts() for _ in range(count)]
    assert services == pytest.approx([10 * MS] * 4, rel=0.01)
    assert sorted(responses) == pytest.approx([10 * MS, 20 * MS, 20 * MS, 20 * MS], rel=0.01)


def test_open_load_counts_the_wait_of_jobs_that_were_due_while_the_loop_was_blocked():
    clock = Clock()

    async def call(_seed):
        clock.now += 50 * MS

    log = drive_with(Load(jobs=3, rate=1000, arrivals="constant"), call, _leaping(clock))
    responses = sorted(value for value, count in log.response.counts() for _ in range(count))
    assert responses[-1] > 140 * MS


@pytest.mark.parametrize("name", ["asyncio", "uvloop", "trio"])
@pytest.mark.parametrize("alarms", [True, False])
def test_job_of_an_open_load_never_starts_before_it_is_due(name, alarms, monkeypatch):
    if LOOPS[name].missing():
        pytest.skip(LOOPS[name].missing())
    if not alarms:
        monkeypatch.setattr("loopstall.harness.load.Alarm", _no_alarm)
    log = JobLog(lambda seed, result: None)
    noted = []
    monkeypatch.setattr(log, "done", lambda seed, result, due, start, end: noted.append((due, start, end)))

    async def call(_seed):
        return None

    async def main():
        adapter = LOOPS[name].adapter()
        await drive(call, Load(jobs=40, rate=700), log, seed=7, started_ns=now_ns(), adapter=adapter)

    LOOPS[name].run(main)
    assert len(noted) == 40
    assert all(due <= start <= end for due, start, end in noted)


def _no_alarm():
    raise UnavailableError("not here")


def _leaping(clock):
    """A clock on which every look is a millisecond later, so that arrivals become due without sleeping."""

    def look():
        clock.now += MS
        return clock.now

    return look


def test_constant_arrivals_are_evenly_spaced():
    assert list(due_times(Load(jobs=3, rate=100, arrivals="constant"), 1)) == [10 * MS, 20 * MS, 30 * MS]


def test_poisson_arrivals_are_seeded_and_have_the_rate():
    load = Load(jobs=5000, rate=100)
    times = list(due_times(load, 1))
    gaps = [b - a for a, b in itertools.pairwise([0, *times])]
    assert times == list(due_times(load, 1))
    assert times != list(due_times(load, 2))
    assert statistics.mean(gaps) == pytest.approx(10 * MS, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(10 * MS, rel=0.1)


def test_open_load_ends_with_its_seconds():
    assert list(due_times(Load(seconds=0.05, rate=100, arrivals="constant"), 1))[-1] <= 50 * MS


def test_every_result_is_checked():
    checked = []

    async def call(seed):
        return seed

    log = drive_with(Load(jobs=9, concurrency=2), call, Clock(), check=lambda seed, result: checked.append(result),
                     settle=False)  # fmt: skip
    assert checked == []
    log.settle()
    assert len(checked) == 9


def test_big_results_are_checked_before_they_fill_the_memory():
    checked = []

    async def call(_seed):
        return bytes(17 << 20)

    drive_with(Load(jobs=2, concurrency=1), call, Clock(), check=lambda seed, result: checked.append(seed),
               settle=False)  # fmt: skip
    assert len(checked) == 2


def test_wrong_result_ends_the_check():
    def check(seed, result):
        raise WrongResultError("no")

    async def call(seed):
        return seed

    log = drive_with(Load(jobs=1), call, Clock(), check=check, settle=False)
    with pytest.raises(WrongResultError):
        log.settle()
