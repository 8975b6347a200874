"""Watches every loop of the process, in any thread, also those made later.

The classes' ``run_forever`` is wrapped while somebody wants to know, and put back when nobody does. Loops that do
without it (nest_asyncio's, Qt's) are met where they declare themselves the running one.
"""

import asyncio
from collections.abc import Callable
import contextlib
import functools
import sys
from typing import Any
import weakref

from loopstall.monitor.import_hook import ImportHook
from loopstall.monitor.outside.link import prepare
from loopstall.monitor.probes.curio import CurioRun
from loopstall.monitor.probes.trio import TrioRun
from loopstall.monitor.running import running_elsewhere
from loopstall.monitor.threads import LocalData, ReentrantLock

__all__ = ["Beginner", "add", "discard"]

Beginner = Callable[[Any], Callable[[], object]]
"""Called with a loop in its thread before it runs; returns what is called when it has."""

_lock = ReentrantLock()
_beginners: list[Beginner] = []
_wrapped: dict[Any, tuple[Any, Any]] = {}  # class or module: (the wrapper, what it had itself)
_watched: "weakref.WeakSet[Any]" = weakref.WeakSet()
"""Loops that run now and are watched."""
_arrivals: list[ImportHook] = []


def add(beginner: Beginner, join: Beginner) -> None:
    """Calls ``beginner`` with every loop of asyncio, uvloop, trio or curio that begins to run from now on.

    Args:
        beginner: see there.
        join: called instead with those of asyncio and uvloop that run in other threads already, in their threads, at
            their next turn.
    """
    prepare()
    with _lock:
        _beginners.append(beginner)  # first: a loop may come to its next turn at once
        for loop in running_elsewhere():
            with contextlib.suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(_join, loop, beginner, join)
        if not _arrivals:
            _wrap(asyncio.BaseEventLoop)
            _wrap_running()
            kinds: dict[str, Callable[[Any], object]] = {
                "uvloop": lambda module: _wrap(module.Loop),
                "trio": _wrap_trio,
                "curio": _wrap_curio,
            }
            _arrivals.append(ImportHook(kinds))


def discard(beginner: Beginner) -> None:
    """Takes that back, if it was asked for."""
    with _lock:
        if beginner in _beginners:
            _beginners.remove(beginner)
        if _beginners:
            return
        while _arrivals:
            _arrivals.pop().stop()
        for kind, (wrapper, own) in _wrapped.items():
            name = wrapper.__name__
            if kind.__dict__.get(name) is not wrapper:
                continue  # somebody wrapped it again; ours does nothing any more
            if own is None:
                delattr(kind, name)
            else:
                setattr(kind, name, own)
        _wrapped.clear()


def _join(loop: Any, beginner: Beginner, join: Beginner) -> None:
    """Begins with a loop that runs, if it is still asked for; whoever has asked for it ends it."""
    if beginner in _beginners:
        join(loop)


def _begin(loop: Any) -> list[Callable[[], object]] | None:
    """Has a loop watched; returns what ends that, None where it is already: one that is run within itself goes on."""
    if loop in _watched:
        return None
    _watched.add(loop)
    return [begin(loop) for begin in tuple(_beginners)]


def _end(loop: Any, ends: list[Callable[[], object]]) -> None:
    """Has a loop watched no more, the last beginner's watch first."""
    _watched.discard(loop)
    for end in reversed(ends):
        end()


def _wrap_running() -> None:
    """Has loops watched that run otherwise than by ``run_forever``, from when they are the running one of a thread."""
    module: Any = asyncio.events
    inner = module._set_running_loop  # noqa: SLF001  # each loop in Python calls it there
    running = LocalData()

    @functools.wraps(inner)
    def _set_running_loop(loop: Any) -> None:
        inner(loop)
        begun: tuple[Any, list[Callable[[], object]]] | None = getattr(running, "begun", None)
        if loop is None and begun is not None:
            running.begun = None
            _end(*begun)
        elif loop is not None:
            ends = _begin(loop)
            running.begun = (loop, ends) if ends is not None else begun

    _put(module, _set_running_loop, inner)


def _put(place: Any, wrapper: Any, own: Any) -> None:
    with _lock:
        setattr(place, wrapper.__name__, wrapper)
        _wrapped[place] = (wrapper, own)


def _wrap_trio(_trio: Any) -> None:
    """Hands every run of trio an instrument of ours: each is set up by one function."""
    module: Any = sys.modules["trio._core._run"]
    inner = module.setup_runner

    class Beginning(sys.modules["trio"].abc.Instrument):  # type: ignore[misc]  # trio is optional
        def before_run(self) -> None:
            self._run = run = TrioRun()
            self._ends = [begin(run) for begin in tuple(_beginners)]

        def after_run(self) -> None:
            self._run.ended = True  # nothing has to be taken back from it
            for end in self._ends:
                end()

        def __dir__(self) -> list[str]:  # as for the probe's
            return ["before_run", "after_run"]

    @functools.wraps(inner)
    def setup_runner(clock: Any, instruments: Any, *rest: Any, **named: Any) -> Any:
        return inner(clock, [*instruments, Beginning()], *rest, **named)

    _put(module, setup_runner, inner)


def _wrap_curio(_curio: Any) -> None:
    """Reports each run of a kernel of curio; a kernel makes what the probe times when it is first run."""
    kind, meta = sys.modules["curio.kernel"].Kernel, sys.modules["curio.meta"]
    inner = kind.run

    @functools.wraps(inner)
    def run(kernel: Any, corofunc: Any = None, *args: Any, **named: Any) -> Any:
        if corofunc is None or kernel._shutdown_funcs is None:  # noqa: SLF001  # it ends, or has ended
            return inner(kernel, corofunc, *args, **named)
        if kernel._runner is None:  # noqa: SLF001
            with meta.running(kernel):
                kernel._runner = kernel._make_kernel_runtime()  # noqa: SLF001
        with contextlib.ExitStack() as ends:
            with contextlib.suppress(RuntimeError):  # none that can be timed
                for begin in tuple(_beginners):
                    ends.callback(begin(CurioRun(kernel)))
            return inner(kernel, corofunc, *args, **named)

    _put(kind, run, inner)


def _wrap(kind: Any) -> None:
    own, inner = kind.__dict__.get("run_forever"), kind.run_forever

    @functools.wraps(inner)
    def run_forever(loop: Any) -> None:
        ends = _begin(loop)
        if ends is None:
            inner(loop)
            return
        try:
            inner(loop)
        finally:
            _end(loop, ends)

    _put(kind, run_forever, own)
