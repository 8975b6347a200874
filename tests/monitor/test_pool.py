"""Monitors go from one loop to the next: their number is that of the loops at a time."""

import asyncio
import threading
import time

import pytest

import loopstall
from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool

MS = 1_000_000
LONG_NS = 90 * MS


@pytest.fixture
def pool():
    made = MonitorPool(Monitor)
    everywhere.add(made.begin, made.join)
    yield made
    everywhere.discard(made.begin)
    made.stop()


async def nothing():
    pass


def test_loops_that_run_one_after_the_other_share_a_monitor(pool):
    for _ in range(50):
        asyncio.run(nothing())
    assert len(pool.monitors) == 1


def test_loops_that_run_at_once_have_one_each(pool):
    met = threading.Barrier(3)

    async def meet():
        await asyncio.to_thread(met.wait, 20)

    threads = [threading.Thread(target=asyncio.run, args=[meet()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pool.monitors) == 3


def test_time_between_two_loops_is_not_watched(pool):
    asyncio.run(nothing())
    watched_ns = pool.monitors[0].wall_ns
    time.sleep(0.01)
    assert pool.monitors[0].wall_ns == watched_ns


def test_stalls_of_two_threads_come_in_the_order_of_time():
    """Each counts from when its own monitor began."""

    async def block(seconds):
        await asyncio.sleep(0.01)
        time.sleep(seconds)
        await asyncio.sleep(0.01)

    with loopstall.watch() as stalls:
        asyncio.run(block(0.1))
        thread = threading.Thread(target=asyncio.run, args=[block(0.2)])
        thread.start()
        thread.join()
        asyncio.run(block(0.3))
    long = [stall.duration_ns // MS // 100 for stall in stalls if stall.duration_ns > LONG_NS]
    assert long == sorted(long)
    assert len(long) == 3


def test_loop_that_ran_before_the_watch_is_watched_once_when_it_runs_anew():
    loop = asyncio.new_event_loop()
    runs, runs_on = threading.Event(), threading.Event()
    joined = threading.Event()

    async def block():
        await asyncio.sleep(0.01)
        time.sleep(0.1)
        await asyncio.sleep(0.01)

    async def first():
        runs.set()
        while not joined.is_set():
            await asyncio.sleep(0.005)

    def both():
        loop.run_until_complete(first())
        time.sleep(0.12)  # no stall: no loop runs
        loop.run_until_complete(block())
        runs_on.set()

    thread = threading.Thread(target=both)
    thread.start()
    runs.wait(20)
    with loopstall.watch() as stalls:
        deadline = time.monotonic() + 20
        while not stalls._pool.monitors and time.monotonic() < deadline:
            time.sleep(0.01)
        joined.set()
        runs_on.wait(20)
    thread.join()
    loop.close()
    long = [stall for stall in stalls if stall.duration_ns > LONG_NS]
    assert [stall.culprit.function.rpartition(".")[2] for stall in long] == ["block"]
