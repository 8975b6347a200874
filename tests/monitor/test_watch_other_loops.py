"""``loopstall.watch`` on trio's and curio's loops."""

import sys
import time

from helpers import import_or_skip
import pytest

import loopstall


def longest(stalls):
    return max(stalls, key=lambda stall: stall.duration_ns)


def test_trio_is_watched_through_its_instrument():
    trio = pytest.importorskip("trio")

    async def trio_blocks():
        await trio.sleep(0.01)
        time.sleep(0.05)
        await trio.sleep(0.01)

    async def main():
        with loopstall.watch() as stalls:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio_blocks)
        time.sleep(0.05)
        await trio.sleep(0)
        return stalls

    stalls = trio.run(main)
    stall = longest(stalls)
    assert stall.culprit.function.endswith("trio_blocks")
    assert stall.duration_ns > 49_000_000
    assert stalls.count == len([entry for entry in stalls if entry.culprit == stall.culprit]) or stalls.count < 4


def test_run_of_trio_has_one_instrument_for_its_beginning_and_one_for_its_waits_and_runs_on_without():
    trio = pytest.importorskip("trio")
    own = ("before_run", "after_run", "before_io_wait", "after_io_wait")

    async def main():
        await trio.sleep(0)
        hooks = sys.modules["trio._core._run"].GLOBAL_RUN_CONTEXT.runner.instruments
        return {name: sum(type(one).__module__.startswith("loopstall.") for one in hooks.get(name, ())) for name in own}

    with loopstall.watch() as stalls:
        hooked = trio.run(main)
        trio.run(trio.sleep, 0)
    assert not stalls.faults
    assert hooked == {"before_run": 1, "after_run": 2, "before_io_wait": 1, "after_io_wait": 1}
    assert set(trio.run(main).values()) == {0}


def test_curio_is_watched_where_its_kernel_waits():
    curio = import_or_skip("curio")

    async def curio_blocks():
        await curio.sleep(0.01)
        time.sleep(0.05)
        await curio.sleep(0.01)

    async def main():
        with loopstall.watch() as stalls:
            task = await curio.spawn(curio_blocks)
            await task.join()
        time.sleep(0.05)
        await curio.sleep(0)
        return stalls

    stalls = curio.run(main)
    stall = longest(stalls)
    assert stall.culprit.function.endswith("curio_blocks")
    assert stall.duration_ns > 49_000_000
    assert stall.coroutine.endswith("curio_blocks")
    assert "curio_blocks-" in stall.task


def test_every_run_of_every_curio_kernel_is_watched_and_kernels_are_left_as_they_were():
    curio = import_or_skip("curio")

    async def main():
        await curio.sleep(0)
        time.sleep(0.05)

    before = curio.Kernel.run
    kernel = curio.Kernel()
    with loopstall.watch() as stalls:
        kernel.run(main)
        select = kernel._selector.select
        variables = dict(zip(kernel._runner.__code__.co_freevars, kernel._runner.__closure__, strict=True))
        kernel.run(main)
        curio.run(main)
    assert len([stall for stall in stalls if stall.duration_ns > 49_000_000]) == 3
    assert curio.Kernel.run is before
    assert variables["selector_select"].cell_contents == select
    kernel.run(shutdown=True)


def test_curio_that_ends_before_the_watch_harms_nobody():
    curio = import_or_skip("curio")
    watches = []

    async def main():
        watch = loopstall.watch()
        watch.__enter__()
        watches.append(watch)
        await curio.sleep(0.01)

    curio.run(main)
    watches[0].__exit__(None, None, None)
    assert watches[0].faults == ()


def test_trio_that_ends_before_the_watch_harms_nobody():
    trio = pytest.importorskip("trio")
    watches = []

    async def main():
        watch = loopstall.watch()
        watch.__enter__()
        watches.append(watch)
        await trio.sleep(0.01)

    trio.run(main)
    watches[0].__exit__(None, None, None)
    assert watches[0].faults == ()
