"""Every loop of the process, in any thread, also those made later: loops tell when they begin to run.

The classes' ``run_forever`` is wrapped while somebody wants to know, and put back when nobody does.
"""

import asyncio
from collections.abc import Callable
import contextlib
import functools
import threading
from typing import Any

__all__ = ["Beginner", "add", "discard"]

Beginner = Callable[[Any], Callable[[], object]]
"""Called with a loop in its thread before it runs; returns what is called when it has."""

_lock = threading.Lock()
_beginners: list[Beginner] = []
_wrapped: dict[Any, tuple[Any, Any]] = {}  # class: (the wrapper, what the class had itself, or None)


def add(beginner: Beginner) -> None:
    """Has every loop that begins to run from now on told to ``beginner``."""
    with _lock:
        _beginners.append(beginner)
        for kind in _loop_classes():
            if kind not in _wrapped:
                _wrap(kind)


def discard(beginner: Beginner) -> None:
    """Takes that back, if it was asked for."""
    with _lock:
        if beginner in _beginners:
            _beginners.remove(beginner)
        if not _beginners:
            for kind, (wrapper, own) in _wrapped.items():
                if kind.__dict__.get("run_forever") is not wrapper:
                    continue  # somebody wrapped it again; ours does nothing any more
                if own is None:
                    del kind.run_forever
                else:
                    kind.run_forever = own
            _wrapped.clear()


def _wrap(kind: Any) -> None:
    own, inner = kind.__dict__.get("run_forever"), kind.run_forever

    @functools.wraps(inner)
    def run_forever(loop: Any) -> None:
        with contextlib.ExitStack() as ends:
            for begin in tuple(_beginners):
                ends.callback(begin(loop))
            inner(loop)

    kind.run_forever = run_forever
    _wrapped[kind] = (run_forever, own)


def _loop_classes() -> list[Any]:
    """Returns the classes by which loops are run: that of asyncio, and uvloop's where it is installed."""
    classes: list[Any] = [asyncio.BaseEventLoop]
    try:
        import uvloop  # noqa: PLC0415  # optional, and nobody's business before somebody asks for every loop
    except ImportError:
        return classes
    return [*classes, uvloop.Loop]
