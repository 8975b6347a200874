"""Which task a coroutine's frame belongs to, in each kind of loop."""

import asyncio
import sys

from helpers import import_or_skip
import pytest

from loopstall.monitor.coroutines import frame_of
from loopstall.monitor.outside.tasks import tasks_of
from loopstall.monitor.probes import CurioRun, TrioRun
from loopstall.monitor.samples import names_of

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="frames lie so in CPython alone")


async def nap():
    await asyncio.sleep(10)


async def nothing():
    """Ends at once."""


def in_loop(body):
    """Runs a body in a loop, with that loop; returns what it returns."""

    async def main():
        return await body(asyncio.get_running_loop())

    return asyncio.run(main())


def test_tasks_that_run_are_found_by_their_frames():
    async def body(loop):
        coroutines = [nap(), nap()]
        tasks = [asyncio.create_task(one) for one in coroutines]
        await asyncio.sleep(0)
        wanted = [frame_of(one) for one in coroutines]
        both, one, here = (
            tasks_of(loop, wanted),
            tasks_of(loop, {wanted[1], 0, 12345}),
            tasks_of(loop, [frame_of(asyncio.current_task().get_coro())]),
        )
        for task in tasks:
            task.cancel()
        assert both == dict(zip(wanted, tasks, strict=True))
        assert one == {wanted[1]: tasks[1]}
        assert list(here.values()) == [asyncio.current_task()]

    in_loop(body)


def test_nothing_is_sought_where_no_coroutine_was_seen():
    assert tasks_of(None, []) == tasks_of(None, {0}) == {}
    assert tasks_of(object(), {4096}) == {}  # a loop that has no tasks of asyncio's


def test_task_that_has_ended_in_this_turn_is_found_while_somebody_waits_for_it():
    async def body(loop):
        coroutine = nothing()
        found = []
        task = asyncio.create_task(coroutine, name="brief")
        task.add_done_callback(lambda _: None)
        loop.call_soon(lambda: found.append((task.done(), tasks_of(loop, {frame_of(coroutine)}))))
        await asyncio.sleep(0)
        assert found == [(True, {frame_of(coroutine): task})]
        assert names_of(task) == ("brief", "nothing")

    in_loop(body)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 forgets a task when it has ended")
def test_task_that_has_ended_and_is_kept_is_found_in_a_loop_that_shows_no_callbacks():
    async def body(_loop):
        coroutine = nothing()
        task = asyncio.create_task(coroutine)
        await task
        assert tasks_of(object(), {frame_of(coroutine)}) == {frame_of(coroutine): task}

    in_loop(body)


def test_task_that_tells_no_coroutine_hides_no_other():
    class Foreign:
        def get_loop(self):
            return asyncio.get_running_loop()

        def done(self):
            return False

        def get_coro(self):
            raise RuntimeError("it has none")

    async def body(loop):
        foreign = Foreign()
        asyncio.tasks._register_task(foreign)
        try:
            frame = frame_of(asyncio.current_task().get_coro())
            assert tasks_of(loop, {frame}) == {frame: asyncio.current_task()}
        finally:
            asyncio.tasks._unregister_task(foreign)

    in_loop(body)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are eager tasks since Python 3.12")
def test_eager_task_is_found_while_it_starts_and_when_it_waits():
    async def eager(loop):
        coroutine = asyncio.current_task().get_coro()
        started = tasks_of(loop, {frame_of(coroutine)}) == {frame_of(coroutine): asyncio.current_task()}
        await asyncio.sleep(0)
        return started, tasks_of(loop, {frame_of(coroutine)}) == {frame_of(coroutine): asyncio.current_task()}

    async def body(loop):
        loop.set_task_factory(asyncio.eager_task_factory)
        assert await asyncio.create_task(eager(loop)) == (True, True)

    in_loop(body)


def test_task_of_trio_is_found_in_whichever_nursery_it_is():
    trio = import_or_skip("trio")

    async def child():
        await trio.sleep(10)

    async def parent():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, name="the child")
            await trio.sleep(10)

    async def main():
        async with trio.open_nursery() as outer:
            outer.start_soon(parent)
            await trio.testing.wait_all_tasks_blocked()
            (one,) = trio.lowlevel.current_task().child_nurseries[0].child_tasks
            (other,) = one.child_nurseries[0].child_tasks
            me = trio.lowlevel.current_task()
            wanted = {frame_of(task.coro): task for task in (one, other, me)}
            assert tasks_of(TrioRun(), wanted) == wanted
            assert names_of(other) == ("the child", f"{child.__qualname__}")
            outer.cancel_scope.cancel()

    __import__("trio.testing")
    trio.run(main)


def test_task_of_curio_is_found():
    curio = import_or_skip("curio")

    async def child():
        await curio.sleep(10)

    async def main():
        task = await curio.spawn(child)
        await curio.sleep(0)
        frame = frame_of(getattr(task, "_run_coro", task.coro))
        found = tasks_of(CurioRun(), {frame})
        await task.cancel()
        return found[frame] is task, names_of(task), (f"{task.name}-{task.id}", child.__qualname__)

    same, names, expected = curio.run(main)
    assert same
    assert names == expected


def test_no_task_has_no_names():
    assert names_of(None) == ("", "")
