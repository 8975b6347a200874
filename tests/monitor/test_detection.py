"""Real stalls have their line and cause, with margins that no load breaks; lines and counts rather than times."""

import asyncio
import gc
import os
import sys
import threading
import time

import pytest
from stalling import MS, longest, looked_at, watched

from loopstall.monitor.gil import has_gil

linux = pytest.mark.skipif(sys.platform != "linux", reason="the means are Linux's")
pytestmark = pytest.mark.usefixtures("sampler")


def block(seconds=0.08):
    time.sleep(seconds)


@linux
def test_sleep_is_a_blocking_call_in_its_system_call(new_loop):
    async def body():
        await asyncio.sleep(0.01)
        time.sleep(0.3)
        await asyncio.sleep(0.01)

    stall = longest(watched(body, new_loop))
    assert stall.cause == "blocking-call"
    assert any("sleep" in name for name in stall.evidence.syscalls)
    assert any("sleep" in glimpse.state for glimpse in stall.glimpses)
    assert "sleep" in stall.rule


def holds():
    return sum(range(30_000_000))


def computes():
    total = 0
    for number in range(3_000_000):
        total += number
    return total


@linux
@pytest.mark.parametrize(("work", "cause"), [(holds, "cpu-native"), (computes, "cpu-python")])
def test_computing_has_the_right_line_and_cause(new_loop, work, cause):
    async def body():
        await asyncio.sleep(0.01)
        work()
        await asyncio.sleep(0.01)

    stall = looked_at(body, new_loop)
    assert (stall.culprit.file, stall.culprit.function) == (__file__, work.__name__)
    assert stall.cause in {cause, "descheduled"}  # the latter where the machine is busy with other things


@linux
def test_innocent_callback_that_ran_just_before_is_not_blamed():
    def innocent():
        return sum(range(1000))

    def guilty():
        holds()

    async def body():
        loop = asyncio.get_running_loop()
        loop.call_soon(innocent)
        loop.call_soon(guilty)
        loop.call_soon(innocent)
        await asyncio.sleep(0.05)

    stall = looked_at(body)
    assert stall.culprit.function == "holds"
    assert any(frame.function.endswith("guilty") for frame in stall.stack)


@linux
@pytest.mark.skipif(not has_gil(), reason="this Python has no GIL")
def test_thread_that_keeps_the_gil_is_named_with_its_line(new_loop, sampler):
    def hog():
        go.wait()
        holds()

    async def body():
        thread.start()
        await asyncio.sleep(0.02)
        go.set()
        await asyncio.sleep(0.05)
        thread.join()

    for _ in range(1 if sampler == "outside" else 8):  # from inside, nobody may come to look while the GIL is kept
        go = threading.Event()
        thread = threading.Thread(target=hog, name="the hog")  # whose name is known for as long as it is
        stall = longest(watched(body, new_loop))
        assert stall.cause in {"gil-wait", "descheduled", *(["unknown"] if sampler == "inside" else [])}, stall
        if stall.holder_thread or stall.cause == "descheduled":
            break
    if stall.cause == "gil-wait":
        assert stall.holder_thread == "the hog", stall
        assert stall.holder.function in {"holds", "hog"}


@linux
def test_garbage_collection_is_told():
    async def body():
        await asyncio.sleep(0.01)
        gc.collect()
        await asyncio.sleep(0.01)

    junk = [[] for _ in range(2_000_000)]
    assert longest(watched(body)).cause in {"gc", "descheduled"}
    del junk


CONTEXTS = {}


def context(function):
    CONTEXTS[function.__name__] = function
    return function


@context
async def task_step():
    await asyncio.sleep(0.01)
    block()


@context
async def first_step():
    async def new():
        block()

    await asyncio.create_task(new())


@context
async def call_later():
    asyncio.get_running_loop().call_later(0.005, block)
    await asyncio.sleep(0.01)


@context
async def call_soon():
    asyncio.get_running_loop().call_soon(block)
    await asyncio.sleep(0.01)


@context
async def call_soon_threadsafe():
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(loop.call_soon_threadsafe, block)
    await asyncio.sleep(0.01)


@context
async def add_reader():
    reader, writer = os.pipe()
    loop = asyncio.get_running_loop()

    def readable():
        loop.remove_reader(reader)
        block()

    loop.add_reader(reader, readable)
    os.write(writer, b".")
    await asyncio.sleep(0.01)
    os.close(reader)
    os.close(writer)


@context
async def done_callback():
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: block())
    future.set_result(None)
    await asyncio.sleep(0.01)


@context
async def data_received():
    class Blocking(asyncio.Protocol):
        def data_received(self, _data):
            block()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Blocking, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    transport.write(b"data")
    await asyncio.sleep(0.1)
    transport.close()
    server.close()
    await asyncio.sleep(0.01)


@context
async def async_generator_finalizer():
    async def generator():
        try:
            yield 1
        finally:
            block()

    made = generator()
    await anext(made)
    del made
    await asyncio.sleep(0.01)


@context
async def exception_in_callback():
    def raises():
        block()
        raise ZeroDivisionError("of the test")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    loop.call_soon(raises)
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", CONTEXTS)
def test_stall_is_found_wherever_a_callback_comes_from(new_loop, name):
    async def body():
        await CONTEXTS[name]()
        await asyncio.sleep(0.01)

    stall = longest(watched(body, new_loop))
    assert stall.duration_ns > 70 * MS
    assert stall.culprit.function == "block"
