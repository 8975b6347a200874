"""Watches every loop of the process, in any thread, also those made later.

The classes' ``run_forever`` is wrapped while somebody wants to know, and put back when nobody does.
"""

import asyncio
from collections.abc import Callable
import contextlib
import functools
import sys
import threading
from typing import Any

from loopstall.monitor.import_hook import ImportHook
from loopstall.monitor.outside.link import prepare
from loopstall.monitor.probes.curio import CurioRun
from loopstall.monitor.probes.trio import TrioRun

__all__ = ["Beginner", "add", "discard"]

Beginner = Callable[[Any], Callable[[], object]]
"""Called with a loop in its thread before it runs; returns what is called when it has."""

_lock = threading.RLock()
_beginners: list[Beginner] = []
_wrapped: dict[Any, tuple[Any, Any]] = {}  # class or module: (the wrapper, what it had itself)
_arrivals: list[ImportHook] = []


def add(beginner: Beginner) -> None:
    """Calls ``beginner`` with every loop that begins to run from now on: of asyncio, uvloop, trio or curio."""
    prepare()
    with _lock:
        _beginners.append(beginner)
        if not _arrivals:
            _wrap(asyncio.BaseEventLoop)
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


def _wrap_trio(_trio: Any) -> None:
    """Hands every run of trio an instrument of ours: each is set up by one function."""
    module: Any = sys.modules["trio._core._run"]
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

    with _lock:
        module.setup_runner = setup_runner
        _wrapped[module] = (setup_runner, inner)


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

    with _lock:
        kind.run = run
        _wrapped[kind] = (run, inner)


def _wrap(kind: Any) -> None:
    own, inner = kind.__dict__.get("run_forever"), kind.run_forever

    @functools.wraps(inner)
    def run_forever(loop: Any) -> None:
        with contextlib.ExitStack() as ends:
            for begin in tuple(_beginners):
                ends.callback(begin(loop))
            inner(loop)

    with _lock:
        kind.run_forever = run_forever
        _wrapped[kind] = (run_forever, own)
