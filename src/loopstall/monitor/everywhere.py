"""Every loop of the process, in any thread, also those made later: loops tell when they begin to run.

The classes' ``run_forever`` is wrapped while somebody wants to know, and put back when nobody does.
"""

import asyncio
from collections.abc import Callable
import contextlib
import functools
import sys
import threading
from typing import Any

from loopstall.monitor.probes.trio import TrioRun

__all__ = ["Beginner", "add", "discard", "include_trio"]

Beginner = Callable[[Any], Callable[[], object]]
"""Called with a loop in its thread before it runs; returns what is called when it has."""

_lock = threading.Lock()
_beginners: list[Beginner] = []
_wrapped: dict[Any, tuple[Any, Any]] = {}  # class or module: (the wrapper, what it had itself)


def add(beginner: Beginner) -> None:
    """Has every loop that begins to run from now on told to ``beginner``."""
    with _lock:
        _beginners.append(beginner)
        for kind in _loop_classes():
            if kind not in _wrapped:
                _wrap(kind)
    include_trio()


def discard(beginner: Beginner) -> None:
    """Takes that back, if it was asked for."""
    with _lock:
        if beginner in _beginners:
            _beginners.remove(beginner)
        if not _beginners:
            for kind, (wrapper, own) in _wrapped.items():
                name = wrapper.__name__
                if kind.__dict__.get(name) is not wrapper:
                    continue  # somebody wrapped it again; ours does nothing any more
                if own is None:
                    delattr(kind, name)
                else:
                    setattr(kind, name, own)
            _wrapped.clear()


def include_trio() -> None:
    """Has runs of trio tell too, if trio has been imported by now."""
    run = sys.modules.get("trio._core._run")
    with _lock:
        if run is not None and _beginners and run not in _wrapped:
            _wrap_trio(run)


def _wrap_trio(module: Any) -> None:
    """Hands every run of trio an instrument of ours: each is set up by one function."""
    inner = module.setup_runner

    class Beginning(sys.modules["trio"].abc.Instrument):  # type: ignore[misc]  # trio is optional
        def before_run(self) -> None:
            run = TrioRun()
            self._ends = [begin(run) for begin in tuple(_beginners)]

        def after_run(self) -> None:
            for end in self._ends:
                end()

    @functools.wraps(inner)
    def setup_runner(clock: Any, instruments: Any, *rest: Any, **named: Any) -> Any:
        return inner(clock, [*instruments, Beginning()], *rest, **named)

    module.setup_runner = setup_runner
    _wrapped[module] = (setup_runner, inner)


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
