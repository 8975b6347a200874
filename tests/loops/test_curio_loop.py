"""The face of curio: what the harness asks of a loop, kept by a kernel that was not made for being asked."""

import os

from helpers import import_or_skip
import pytest

from loopstall.loops import LOOPS


@pytest.fixture
def curio():
    return import_or_skip("curio")


def on_curio(main):
    """Runs a coroutine function that takes the face of its loop."""

    async def begin():
        return await main(LOOPS["curio"].adapter())

    return LOOPS["curio"].run(begin)


def test_group_waits_for_all_of_its_tasks(curio):
    async def main(adapter):
        ended = []

        async def one(number):
            await adapter.sleep(0.001 * number)
            ended.append(number)

        async with adapter.group() as start:
            for number in (3, 1, 2):
                start(one, number)
        return ended

    assert on_curio(main) == [1, 2, 3]


def test_first_task_that_fails_ends_the_group(curio):
    ended = []

    async def main(adapter):
        async def fails():
            await adapter.sleep(0)
            raise ValueError("its own")

        async def goes_on():
            try:
                await adapter.sleep(60)
            finally:
                ended.append("asked to end")

        async with adapter.group() as start:
            start(goes_on)
            start(fails)

    with pytest.raises(ValueError, match="its own"):
        on_curio(main)
    assert ended == ["asked to end"]


def test_timer_is_called_once_and_not_when_cancelled(curio):
    async def main(adapter):
        called = []
        adapter.later(0.001, lambda: called.append("first"))
        adapter.later(0.001, lambda: called.append("never")).cancel()
        await adapter.sleep(0.02)
        return called

    assert on_curio(main) == ["first"]


def test_file_is_read_as_often_as_it_can_be_and_may_be_closed_once_cancelled(curio):
    async def main(adapter):
        out, into = os.pipe()
        read = []
        reading = adapter.readable(out, lambda: read.append(os.read(out, 1)))
        for letter in (b"a", b"b"):
            os.write(into, letter)
            await adapter.sleep(0.01)
        os.write(into, b"c")
        reading.cancel()
        os.close(out)
        os.close(into)
        await adapter.sleep(0.01)
        return read

    assert on_curio(main) == [b"a", b"b"]


def test_readable_file_ends_a_wait(curio):
    async def main(adapter):
        out, into = os.pipe()
        os.write(into, b"a")
        await adapter.until_readable(out)
        os.close(out)
        os.close(into)
        return await adapter.in_thread(lambda: "done")

    assert on_curio(main) == "done"
