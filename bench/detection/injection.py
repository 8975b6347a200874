"""One stall with known truth in the running loop, and what a detector has reported of it."""

import asyncio
from collections.abc import Callable
from functools import partial
import inspect
import os
from pathlib import Path
import queue
import random
import threading
import time
from typing import Any

import kinds  # its folder is no package
from kinds import Kind, Part
import peers

SETTLE_S = 0.06
_HEAD_START_S = 0.002  # of decoys, until they are at it
_PLACES = {name: sorted(kind.culprit.work.places()) for name, kind in kinds.KINDS.items()}
Span = tuple[int, int]
Used = tuple[int, int]
Task = Callable[[], object]


class Helpers:
    """Threads beside the loop: lasting ones wait for their next task, others are started for one."""

    def __init__(self) -> None:
        self._lasting: dict[str, queue.SimpleQueue[Task]] = {}

    def have_done(self, part: Part, task: Task) -> str:
        """Has a thread do it, and returns the thread's name."""
        if not part.lasting:
            brief = threading.Thread(target=task, name=part.thread or None, daemon=True)
            brief.start()
            return brief.name
        assert part.thread
        self._lasting[part.thread].put(task)
        return part.thread

    def prepare(self, part: Part) -> None:
        """Starts the thread of a part, if it is one that lasts: to wait for its start would be a stall as well."""
        if part.thread and part.lasting and part.thread not in self._lasting:
            tasks = self._lasting[part.thread] = queue.SimpleQueue()
            threading.Thread(target=_work_off, args=(tasks,), name=part.thread, daemon=True).start()


def _work_off(tasks: "queue.SimpleQueue[Task]") -> None:
    while True:
        tasks.get()()


class _Clocks(threading.local):
    """The clocks of the thread that reads them, which takes microseconds."""

    def __init__(self) -> None:
        schedstat = Path("/proc/thread-self/schedstat")
        self._file = schedstat.open("rb", buffering=0) if schedstat.exists() else None

    def read(self) -> Used:
        """Returns for how long this thread has had a CPU, and has wanted one and had none."""
        delay = os.pread(self._file.fileno(), 100, 0).split()[1] if self._file else 0
        return time.thread_time_ns(), int(delay)


CLOCKS = _Clocks()


class Injection:
    """A stall of a kind, prepared: what takes time before it is done before it begins.

    Args:
        name: of the kind.
        ms: how long it is to be.
        sizes: of the work that needs them.
        helpers: the threads beside the loop.
    """

    def __init__(self, name: str, ms: float, sizes: dict[str, int], helpers: Helpers) -> None:
        self._name = name
        self._ms = ms
        self._kind: Kind = kinds.KINDS[name]
        self._helpers = helpers
        self._arguments = [part.work.argument(part.share * ms / 1000, sizes) for part in self._kind.parts]
        for part in self._kind.parts:
            helpers.prepare(part)
        self._spans: dict[int, Span] = {}
        self._cpu_ns = self._delay_ns = 0
        self._refused = ""
        self._thread = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def happen(self, detector: peers.Detector) -> dict[str, Any]:
        """Blocks the loop once; returns the truth and what was reported.

        A call that a detector refuses has the length that it would have had.
        """
        await asyncio.sleep(SETTLE_S / 2 + random.random() * 0.01)
        detector.take()
        await self._begin()
        while len(self._spans) < len(self._kind.parts):  # noqa: ASYNC110  # a loop that is kept has to go on
            await asyncio.sleep(0.001)
        await asyncio.sleep(SETTLE_S)
        return self._record(detector.take())

    async def _begin(self) -> None:
        """Has all parts run: decoys in threads first, and then the others at once or in one turn."""
        kind = self._kind
        for number, part in enumerate(kind.parts):
            if part.thread is None:
                continue
            name = self._helpers.have_done(part, partial(self._run, number))
            if part is kind.culprit:
                self._thread = name
            elif part.share and number < kind.parts.index(kind.culprit):
                await asyncio.sleep(_HEAD_START_S)
        loop = asyncio.get_running_loop()
        for number, part in enumerate(kind.parts):
            if part.thread is not None:
                continue
            if inspect.iscoroutinefunction(part.work.function):
                self._tasks.append(loop.create_task(self._await(number)))
            else:
                loop.call_soon(self._run, number)

    def _run(self, number: int) -> None:
        used, begun = CLOCKS.read(), time.perf_counter_ns()
        try:
            self._kind.parts[number].work.function(self._arguments[number])
        except Exception as error:  # noqa: BLE001  # blockbuster raises instead of reporting
            self._refused = type(error).__name__
        self._note(number, begun, time.perf_counter_ns(), used)

    async def _await(self, number: int) -> None:
        used, begun = CLOCKS.read(), time.perf_counter_ns()
        await self._kind.parts[number].work.function(self._arguments[number])
        self._note(number, begun, time.perf_counter_ns(), used)

    def _note(self, number: int, begun: int, ended: int, before: Used) -> None:
        if self._kind.parts[number].thread == self._kind.culprit.thread:
            after = CLOCKS.read()
            self._cpu_ns += after[0] - before[0]
            self._delay_ns += after[1] - before[1]
        self._spans[number] = (begun, ended)

    def _span(self) -> Span:
        """Returns from when to when the culprit had the loop wait, with all that ran in the same thread."""
        kind = self._kind
        spans = [self._spans[n] for n, part in enumerate(kind.parts) if part.thread == kind.culprit.thread]
        return min(begun for begun, _ in spans), max(ended for _, ended in spans)

    def _share(self) -> float:
        """Returns the part of the loop's turn that the culprit has really taken; 1 where another thread did."""
        took = {
            n: self._spans[n][1] - self._spans[n][0] for n, part in enumerate(self._kind.parts) if part.thread is None
        }
        culprit = self._kind.parts.index(self._kind.culprit)
        return took[culprit] / sum(took.values()) if self._kind.in_loop else 1.0

    def _record(self, reports: list[peers.Report]) -> dict[str, Any]:
        kind = self._kind
        begun, ended = self._span()
        wanted_ns = int(self._ms * 1e6)
        return {
            "kind": self._name, "ms": self._ms, "ns": wanted_ns if self._refused else ended - begun,
            "begun_ns": begun, "cpu_ns": self._cpu_ns, "delay_ns": self._delay_ns, "refused": self._refused,
            "reports": reports,
            "told": any(begun <= report["at_ns"] < ended for report in reports),
            "truth": {
                "cause": kind.cause, "group": kind.group, "in_loop": kind.in_loop, "known_length": kind.known_length,
                "places": _PLACES[self._name], "thread": self._thread,
                "share": self._share(),
            },
        }  # fmt: skip
