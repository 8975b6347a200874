"""A program that is read from outside: ``python target.py SCENE`` says where its runtime and its threads are."""

import asyncio
import ctypes
import gc
import json
import re
import sys
import threading
import time


def told(thread):
    """The stack of a thread as Python tells it, innermost first."""
    frame, stack = sys._current_frames()[thread.ident], []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno))
        frame = frame.f_back
    return stack


def down(depth, then):
    if depth:
        return down(
            depth - 1,
            then,
        )
    return then()


def sleep():
    down(18, lambda: time.sleep(600))


def deep():
    down(400, lambda: time.sleep(600))


def named(name, then):
    def call():
        then()

    call.__code__ = call.__code__.replace(co_name=name, co_qualname=name)
    return call


def names():
    then = lambda: time.sleep(600)  # noqa: E731
    for name in ("ascii", "h\u00e9llo", "\u1fe5\u03ae\u03c4\u03c9\u03c1", "\U00010330\U00010331"):
        then = named(name, then)
    then()


def generator():
    def numbers():
        yield 1
        yield from (down(2, lambda: time.sleep(600)) for _ in range(2))

    return sum(numbers())


def coroutine():
    async def inner():
        await asyncio.sleep(0)
        time.sleep(600)

    async def outer():
        await asyncio.gather(inner())

    asyncio.run(outer())


def calls_in_c():
    def replaced(_):
        return json.dumps({"key": object()}, default=lambda _: time.sleep(600))

    re.sub("b", replaced, "abc")


def exec_code():
    exec(compile("\n\ndef made():\n    sleep(600)\n\nmade()", "made up", "exec"), {"sleep": time.sleep})  # noqa: S102  # code without a file


def busy():
    while True:
        pass


def hold():
    re.search("(a+)+$", "a" * 60 + "b")


def inner(number):
    return sorted(range(number % 7), key=str)


def middle(number):
    return [inner(number) for _ in range(3)]


def outer(number):
    made = (lambda: None).__code__.replace(co_filename=f"made {number % 50}", co_qualname=f"made {number}")
    type(outer)(made, {})()
    return middle(number)


def moving():
    number = 0
    while True:
        number += 1
        outer(number)


def generators_in_c():
    def numbers():
        yield from (number for number in range(1000))

    while True:
        sum(numbers())


def coroutines():
    async def inner(number):
        return number

    async def middle(number):
        return await inner(number)

    async def main():
        while True:
            await middle(1)

    asyncio.run(main())


def long_calls():
    numbers = [number % 1000 for number in range(1_000_000)]
    sorts(numbers)


def sorts(numbers):
    while True:
        sorted(numbers)


def collect():
    kept = [[number] for number in range(300_000)]
    while kept:
        gc.collect()


def nothing():
    gc.disable()
    time.sleep(600)


def main():
    scene = globals()[sys.argv[1]]
    threads = [threading.Thread(target=scene, daemon=True) for _ in range(int(sys.argv[2]))]
    print(ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime")), flush=True)
    for thread in threads:
        thread.start()
    print([thread.native_id for thread in threads], flush=True)
    if sys.argv[3:]:
        before = None
        while before != (before := told(threads[0])) or "threading" in before[0][0]:
            time.sleep(0.1)
        print(ascii(before), flush=True)
    time.sleep(600)


main()
