"""A loop that has stopped and runs again is watched on; what times it lets it go, and keeps nothing alive."""

import asyncio
import gc
import os
import sys
import threading
import time
import weakref

import pytest

import loopstall
from loopstall.monitor import core

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")


@pytest.fixture
def probes(monkeypatch):
    """The loops that were given a probe."""
    made = []
    inner = core.probe_for

    def probe_for(loop, **rest):
        made.append(weakref.ref(loop))
        return inner(loop, **rest)

    monkeypatch.setattr(core, "probe_for", probe_for)
    return made


async def blocks(seconds=0.1):
    time.sleep(seconds)


@pytest.fixture(scope="module", autouse=True)
def helper_that_runs():
    """The helper, which may need a moment to start."""
    with loopstall.watch():
        asyncio.run(blocks(0.5))


def test_loop_that_is_run_again_keeps_its_probe_and_the_time_between_is_no_stall(probes):
    begun = time.perf_counter()
    with loopstall.watch(0.02) as stalls, asyncio.Runner() as runner:
        for _ in range(3):
            runner.run(blocks())
            time.sleep(0.1)
    took = time.perf_counter() - begun
    assert len(probes) == 1
    assert len([stall for stall in stalls if stall.duration_ns >= 100_000_000]) >= 3
    assert 0.3 <= stalls.stalled <= stalls.watched <= took - 0.3


def test_loops_by_turns_have_a_probe_each_and_each_stall_is_told_once(probes):
    with loopstall.watch(0.02) as stalls, asyncio.Runner() as one, asyncio.Runner() as other:
        for runner in (one, other, one, other):
            runner.run(blocks())
    assert len(probes) == 5  # the first one is closed after the other
    assert [stall.culprit.function for stall in stalls if stall.culprit is not None].count("blocks") == 4


def test_loop_that_goes_to_another_thread_is_looked_at_there():
    with loopstall.watch(0.02) as stalls:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(blocks())
        thread = threading.Thread(target=loop.run_until_complete, args=(blocks(),))
        thread.start()
        thread.join()
        loop.close()
    assert [stall.culprit.function for stall in stalls if stall.culprit is not None].count("blocks") == 2


def test_selector_is_as_it_was_when_the_watch_has_ended():
    loop = asyncio.new_event_loop()
    with loopstall.watch():
        loop.run_until_complete(blocks(0))
    assert "select" not in vars(loop._selector)
    loop.close()


def test_selector_that_was_changed_meanwhile_gets_a_probe_of_its_own(probes):
    loop = asyncio.new_event_loop()
    with loopstall.watch(0.02) as stalls:
        loop.run_until_complete(blocks())
        ready, loop._selector = loop._selector, type(loop._selector)()
        for key in ready.get_map().values():
            loop._selector.register(key.fileobj, key.events, key.data)
        loop.run_until_complete(blocks())
    ready.close()
    loop.close()
    assert len(probes) == 2
    assert stalls.count >= 2


def test_loop_that_nobody_closes_is_not_kept_alive():
    with loopstall.watch():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(blocks(0))
        known = weakref.ref(loop)
        del loop
        with pytest.warns(ResourceWarning, match="unclosed event loop"):
            gc.collect()
        assert known() is None


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_fork_while_a_loop_has_stopped_leaves_the_parents_looks_alone():
    with loopstall.watch(0.02) as stalls, asyncio.Runner() as runner:
        runner.run(blocks(0.3))
        child = os.fork()
        if child == 0:
            os._exit(0 if "select" not in vars(runner.get_loop()._selector) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        runner.run(blocks())
    assert [stall.culprit.function for stall in stalls if stall.culprit is not None].count("blocks") == 2
