import asyncio
import subprocess
import sys
import threading
import time

from helpers import import_or_skip
import pytest

import loopstall
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.gil import FREE_THREADED


async def blocks(seconds=0.05):
    await asyncio.sleep(0.01)
    time.sleep(seconds)
    await asyncio.sleep(0.01)


def longest(stalls):
    return max(stalls, key=lambda stall: stall.duration_ns)


def test_inside_a_running_loop_it_watches_that_loop():
    async def main():
        with loopstall.watch(threshold=0.005) as stalls:
            await blocks()
            assert len(stalls) >= 1  # while it goes on
        return stalls

    stalls = asyncio.run(main())
    assert longest(stalls).culprit.function == "blocks"
    assert stalls.count == len(list(stalls)) + stalls.dropped
    assert stalls[0].start_ns == min(stall.start_ns for stall in stalls)
    assert stalls.stalled > 0.049
    assert 0 < stalls.availability < 1
    assert max(seconds for seconds, _ in stalls.spans) > 0.04
    assert any("blocks" in name for name in stalls.by_culprit)
    assert stalls.faults == ()


def test_many_spans_below_the_threshold_are_lost_availability():
    async def main():
        with loopstall.watch(threshold=60) as stalls:
            for _ in range(10):
                time.sleep(0.004)
                await asyncio.sleep(0)
        return stalls

    stalls = asyncio.run(main())
    assert len(stalls) == 0
    assert sum(count for _, count in stalls.spans) == 10
    assert stalls.availability < 0.5


def test_outside_it_watches_every_loop_from_the_first_step_on():
    async def at_once():
        time.sleep(0.05)

    with loopstall.watch() as stalls:
        asyncio.run(at_once())
        asyncio.run(at_once())
    assert sum(stall.duration_ns > 40_000_000 for stall in stalls) == 2
    assert "run_forever" in vars(asyncio.BaseEventLoop)
    assert "loopstall" not in asyncio.BaseEventLoop.run_forever.__code__.co_filename


def test_outside_it_watches_uvloop_as_well():
    uvloop = pytest.importorskip("uvloop")
    with loopstall.watch() as stalls, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(blocks(0.3))  # the helper may only be starting
    assert longest(stalls).culprit.function == "blocks"
    assert "run_forever" not in vars(uvloop.Loop)


def test_loops_in_several_threads_at_once():
    def other():
        asyncio.run(blocks(0.06))

    with loopstall.watch() as stalls:
        threads = [threading.Thread(target=other) for _ in range(3)]
        for thread in threads:
            thread.start()
        asyncio.run(blocks(0.06))
        for thread in threads:
            thread.join()
    asleep = [stall for stall in stalls if stall.duration_ns > 50_000_000]
    assert len(asleep) >= 4
    assert {stall.culprit.function for stall in asleep if stall.culprit} >= {"blocks"}


def test_nested_watches_with_thresholds_of_their_own():
    async def main():
        with loopstall.watch(threshold=0.005) as fine, loopstall.watch(threshold=5) as coarse:
            await blocks()
        return fine, coarse

    fine, coarse = asyncio.run(main())
    assert (fine.count >= 1, coarse.count) == (True, 0)


def test_watches_that_end_in_any_order():
    async def main():
        first, second = loopstall.watch(), loopstall.watch()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        await blocks()
        second.__exit__(None, None, None)
        return first, second

    first, second = asyncio.run(main())
    assert (first.count, longest(second).culprit.function) == (0, "blocks")


def test_as_a_decorator_of_coroutines_and_functions():
    seen = []

    @loopstall.watch(threshold=0.02, on_stall=seen.append)
    async def handler(word):
        await blocks()
        return word

    @loopstall.watch(threshold=0.02, on_stall=seen.append)
    def run(word):
        return asyncio.run(blocks()) or word

    assert asyncio.run(handler("a")) == "a"
    assert [stall.culprit.function for stall in seen if stall.duration_ns > 40_000_000] == ["blocks"]
    assert run("b") == "b"
    assert len([stall for stall in seen if stall.duration_ns > 40_000_000]) == 2
    assert handler.__name__ == "handler"


def test_exception_goes_through_and_ends_the_watch():
    before = threading.active_count()

    async def main():
        with pytest.raises(ZeroDivisionError), loopstall.watch():
            raise ZeroDivisionError

    asyncio.run(main())
    assert threading.active_count() == before


@pytest.mark.parametrize("threshold", [0, -1, float("nan")])
def test_threshold_must_be_positive(threshold):
    with pytest.raises(ValueError, match="threshold must be a positive number"):
        loopstall.watch(threshold=threshold)


def test_stalls_beyond_the_bound_are_counted():
    async def main():
        with loopstall.watch(kept=2) as stalls:
            for _ in range(5):
                time.sleep(0.01)
                await asyncio.sleep(0)
        return stalls

    stalls = asyncio.run(main())
    assert (len(stalls), stalls.count) == (2, stalls.dropped + 2)
    assert stalls.count >= 5


def test_watching_needs_the_standard_library_alone():
    code = (
        "import sys, loopstall, asyncio\n"
        "async def main():\n"
        "    with loopstall.watch() as stalls: await asyncio.sleep(0.01)\n"
        "asyncio.run(main())\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign = eval(done.stdout)  # noqa: S307  # a list of names that this test has printed itself
    assert {name for name in foreign if not name.startswith(("_", "sitecustomize", "usercustomize"))} == {"loopstall"}


def test_loop_that_is_run_otherwise_than_by_run_forever_is_watched():
    """As nest_asyncio and Qt's loops are: they declare themselves the running one, also within themselves."""
    loop = asyncio.new_event_loop()

    def run(coroutine):
        before = asyncio.events._get_running_loop()
        asyncio.events._set_running_loop(loop)
        try:
            task = loop.create_task(coroutine)
            while not task.done():
                loop._run_once()
        finally:
            asyncio.events._set_running_loop(before)

    async def inner():
        await asyncio.sleep(0.01)
        time.sleep(0.08)
        await asyncio.sleep(0.01)

    async def outer():
        await asyncio.sleep(0.01)
        time.sleep(0.08)
        await asyncio.sleep(0.01)

    with loopstall.watch() as stalls:
        loop._thread_id = threading.get_ident()
        run(outer())
        time.sleep(0.2)  # between two runs: no stall
        run(inner())
        loop._thread_id = None
    loop.close()
    long = [stall for stall in stalls if stall.duration_ns > 70_000_000]
    assert sorted(stall.culprit.function.rpartition(".")[2] for stall in long) == ["inner", "outer"]
    assert all(stall.duration_ns < 190_000_000 for stall in long)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.skipif(FREE_THREADED, reason="frames of other threads are not read where they may run")
def test_loop_that_runs_already_in_another_thread_is_joined(kind):
    new_loop = asyncio.new_event_loop if kind == "asyncio" else import_or_skip("uvloop").new_event_loop
    runs, end, watched = threading.Event(), threading.Event(), threading.Event()

    async def body():
        runs.set()
        while not watched.is_set():
            await asyncio.sleep(0.005)
        time.sleep(0.1)
        await asyncio.sleep(0.02)
        end.set()
        await asyncio.sleep(0.05)

    def thread():
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(body())

    one = threading.Thread(target=thread)
    one.start()
    runs.wait()
    with loopstall.watch() as stalls:
        while not stalls._pool.monitors:
            time.sleep(0.005)
        time.sleep(0.05)
        watched.set()
        end.wait()
    one.join()
    assert longest(stalls).culprit.function.endswith("body")


@pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")
def test_stall_that_goes_on_is_told_while_it_lasts():
    told = []

    async def main():
        await asyncio.sleep(0.05)
        deadline = time.monotonic() + 20
        while not told and time.monotonic() < deadline:
            time.sleep(0.3)  # should be: await asyncio.sleep(0.3)

    with loopstall.watch(on_hang=told.append, hang_after=0.1, sampler="outside") as stalls:
        asyncio.run(main())
    assert told[0].culprit.function == "test_stall_that_goes_on_is_told_while_it_lasts.<locals>.main"
    assert told[0].cause in {"blocking-call", "descheduled"}
    assert 0 < told[0].duration_ns < longest(stalls).duration_ns
    assert stalls.faults == ()


def test_stall_deep_in_calls_is_told_while_it_lasts():
    told = []

    def deep(calls):
        if calls:
            deep(calls - 1)
        else:
            time.sleep(0.3)  # should be: await asyncio.sleep(0.3)

    async def main():
        await asyncio.sleep(0.05)
        deadline = time.monotonic() + 20
        while not told and time.monotonic() < deadline:
            deep(400)

    with loopstall.watch(on_hang=told.append, hang_after=0.2, sampler="outside") as stalls:
        asyncio.run(main())
    assert told[0].culprit.function.endswith("deep")
    assert len(told[0].stack) == DEPTH
    assert stalls.faults == ()


def test_listener_of_hangs_that_raises_harms_nobody():
    def broken(_stall):
        raise ZeroDivisionError

    async def main():
        await asyncio.sleep(0.05)
        time.sleep(0.3)
        await asyncio.sleep(0.01)
        return "well"

    with loopstall.watch(on_hang=broken, hang_after=0.05):
        assert asyncio.run(main()) == "well"
    with pytest.raises(ValueError, match="hang_after must be a positive number of seconds, not 0"):
        loopstall.watch(hang_after=0)
