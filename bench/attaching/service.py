"""A service with traps, each of a known kind, as ASGI or as a program that gets stuck in one.

``uvicorn service:app`` serves ``GET /KIND``, and ``GET /log`` has what each request did: kind, begin (seconds since
1970) and length (seconds). ``python service.py KIND LOOP`` prints "up" and then never comes back. The lines that may be
blamed end in ``# culprit KIND``.
"""

import asyncio
from collections.abc import Callable
from functools import cache
import json
import re
import sys
import threading
import time
from typing import Any

LOOPS = ("asyncio", "uvloop")
_LENGTH_S = 0.05
_ENDLESS = ("(a+)+b", "a" * 60)
_LOG: list[tuple[str, float, float]] = []
_LOCK = threading.Lock()


def sleeps(seconds: float) -> None:
    """Blocks in a call of the system."""
    time.sleep(seconds)  # culprit sleeps


def computes(seconds: float) -> None:
    """Computes in Python."""
    end, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:  # culprit computes
        number += number % 7  # culprit computes


def matches(seconds: float) -> None:
    """Computes in C, and keeps the GIL."""
    pattern, text = _ENDLESS if seconds > 1 else ("(a+)+b", "a" * _matched())
    re.match(pattern, text)  # culprit matches


def waits(seconds: float) -> None:
    """Waits for a lock of another thread."""
    held = threading.Event()
    threading.Thread(target=_hold, args=(seconds, held), daemon=True).start()
    held.wait()
    with _LOCK:  # culprit waits
        pass


def _hold(seconds: float, held: threading.Event) -> None:
    with _LOCK:
        held.set()
        time.sleep(seconds)


def hog(seconds: float) -> None:
    """Keeps the GIL, for another thread."""
    pattern, text = _ENDLESS if seconds > 1 else ("(a+)+b", "a" * _matched())
    re.match(pattern, text)  # culprit hog


@cache
def _matched() -> int:
    """Returns the length of text that takes long enough to match."""
    length, took = 12, 0.0
    while took <= 0.6 * _LENGTH_S:
        length += 1
        begun = time.perf_counter()
        re.match("(a+)+b", "a" * length)
        took = time.perf_counter() - begun
    return length


KINDS: dict[str, Callable[[float], None]] = {one.__name__: one for one in (sleeps, computes, matches, waits, hog)}


async def fall_into(kind: str, seconds: float) -> None:
    """Does what a kind does: on the loop, or for what keeps the GIL in another thread."""
    begun = [time.time(), time.time()]

    def timed() -> None:
        begun[0] = time.time()
        KINDS[kind](seconds)
        begun[1] = time.time()

    if kind == hog.__name__:
        thread = threading.Thread(target=timed, name="hog", daemon=True)
        thread.start()
        while thread.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # what it is about: to come back from here needs the GIL
    else:
        timed()
    _LOG.append((kind, begun[0], begun[1] - begun[0]))


async def app(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:  # noqa: ARG001
    """Serves requests."""
    if scope["type"] != "http":
        return
    kind = scope["path"].strip("/")
    if kind in KINDS:
        await fall_into(kind, _LENGTH_S)
    body = json.dumps(_LOG if kind == "log" else {}).encode()
    _matched()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def get_stuck(kind: str) -> None:
    """Prints that it is up, and never comes back."""
    await asyncio.sleep(0.05)
    print("up", flush=True)
    await asyncio.sleep(0.05)
    await fall_into(kind, 3600.0)


def main(kind: str, loop: str) -> None:
    """Gets stuck on a loop."""
    if loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(get_stuck(kind))
    else:
        asyncio.run(get_stuck(kind))


if __name__ == "__main__":
    main(*sys.argv[1:])
