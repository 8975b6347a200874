"""Measures a function by itself: how long, computing or waiting, with or without the GIL, and what travelling costs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import dis
from functools import partial
import inspect
from multiprocessing.reduction import ForkingPickler
import pickle
import re
import statistics
import sys
import threading
import time
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from loopstall.monitor.gil import has_gil
from loopstall.monitor.kernel import KeptFile
from loopstall.records import Cell, Noise, Profile
from loopstall.records.clock import NS_PER_MS, NS_PER_S, now_ns
from loopstall.runner import noise
from loopstall.runner.usage import usage_now
from loopstall.stats.median import median_estimate
from loopstall.workloads import function
from loopstall.workloads.loader import resolve
from loopstall.workloads.target import load

if sys.platform == "linux":
    import resource

__all__ = ["cpu_share", "gil_share", "missed_ns", "probe", "probe_cell"]

_FEWEST_CALLS = 3
_MOST_SAMPLES = 200
_ALONE_NS = NS_PER_S // 2
_SAMPLE_NS = NS_PER_MS  # calls that are quicker are timed several at a time
_WINDOW_NS = NS_PER_S // 10  # beside a spinning thread
_WINDOWS = 3
_ABSENT_NS = 5_000  # what is less is the cost of looking
_POLL_S = 0.0005
_SLOW_NS = NS_PER_S  # from here on, of few calls
_PICKLINGS = 5
_COLD = 3.0  # times as long as later ones is a first call that needs priming
_COLD_NS = 5 * NS_PER_MS
_UNTOLD = "this system does not tell whether the machine was busy with something else: measure while it is idle"
_UNSAFE = re.compile(r"\bnot\s+thread[- ]?safe\b|\bthread[- ]?unsafe\b", re.IGNORECASE)


def probe_cell(cell: Cell, *, seed: int) -> Profile:
    """Measures the function of a cell's workload, with its parameters, by itself.

    Raises:
        BaseException: whatever it or the workload's context raises.
    """
    workload = resolve(cell.workload.path, cell.workload.name)
    with workload.entered(seed, cell.params) as kwargs:
        subject = load(kwargs["target"]) if workload.path == function.__file__ else workload.function
        return probe(partial(workload.function, seed, **kwargs), subject, kwargs)


def probe(function: Callable[[], Any], subject: Callable[..., Any], travels: Any) -> Profile:
    """Measures a function in this process, which should be fresh.

    Args:
        function: does one call.
        subject: the called function, whose code and module are examined.
        travels: the arguments that would go to another process for a call.

    Raises:
        BaseException: whatever the function raises.
    """
    memory_before = usage_now().peak_memory_bytes
    begun_ns = now_ns()
    result = function()
    first_ns = now_ns() - begun_ns
    alone = _alone(function, first_ns)
    memory_bytes = max(0, usage_now().peak_memory_bytes - memory_before)
    typical_ns = statistics.median(alone.durations)
    held, gil_note, beside = _gil_share(function, typical_ns)
    seen = noise.total(alone.noise, beside)
    if held is not None and has_gil() and noise.disturbed(seen):
        held, gil_note = None, "the machine was busy with something else"
    sent, sending_ns, sent_why = _pickled(travels, "arguments")
    returned, returning_ns, returned_why = _pickled(result, "result")
    return Profile(
        calls=len(alone.durations),
        first_ns=first_ns,
        duration=median_estimate(alone.durations),
        cpu_share=cpu_share(alone.cpu_ns, alone.wall_ns, alone.delay_ns),
        process_cpu_ns=alone.process_cpu_ns,
        gil_share=held,
        gil_note=gil_note,
        sent_bytes=sent,
        returned_bytes=returned,
        pickling_ns=sending_ns + returning_ns,
        unpicklable="; ".join(filter(None, (sent_why, returned_why))),
        memory_bytes=memory_bytes,
        caveats=(*_caveats(subject, result, first_ns, typical_ns), *(() if seen is not None else (_UNTOLD,))),
        noise=seen,
    )


def cpu_share(cpu_ns: int, wall_ns: int, delay_ns: int) -> float:
    """Returns in how much of its own time a thread computed.

    Its own time is what it would have taken on an idle machine: the time in which it was ready and had no CPU is
    neither computing nor waiting.

    Args:
        cpu_ns: of the thread.
        wall_ns: from beginning to end.
        delay_ns: of it, how long the thread was ready and had no CPU.
    """
    return min(1.0, cpu_ns / max(1, wall_ns - delay_ns))


def missed_ns(absence_ns: int, delay_ns: int, sleeps: int) -> float:
    """Returns the part of a spinning thread's absence in which others had the GIL, in ns.

    Args:
        absence_ns: the time that it did not run.
        delay_ns: the part of it in which it was ready without a CPU.
        sleeps: the number of its sleeps in that time. Without any it was preempted and had the GIL all along. Else it
            waited for the GIL, and the last of its delays, which are much alike, came after the GIL was free.
    """
    return max(0.0, absence_ns - delay_ns / max(1, sleeps))


def gil_share(missed_ns: float, own_ns: float, delay_ns: int) -> float:
    """Returns in how much of its own time a function lets no other thread run Python.

    Where its thread waits for a CPU with the GIL, another thread misses that time as well; it is taken to fall into
    the time with the GIL in proportion.

    Args:
        missed_ns: the time that others had the GIL, as seen by a thread that spins in Python beside it.
        own_ns: the time that the function takes alone on an idle machine.
        delay_ns: the time that its thread was ready without a CPU.
    """
    return min(1.0, max(0.0, missed_ns / max(1.0, own_ns + delay_ns)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alone:
    """Durations of calls without anything beside them, in ns: each sample, and their sum."""

    durations: list[float]
    wall_ns: int
    cpu_ns: int
    delay_ns: int
    process_cpu_ns: int
    noise: Noise | None


def _alone(function: Callable[[], Any], first_ns: int) -> _Alone:
    several = max(1, int(_SAMPLE_NS // max(1, first_ns)))
    slow = first_ns > _SLOW_NS
    if not slow:
        function()
    fewest = 2 if slow else _FEWEST_CALLS
    durations: list[float] = []
    calls = wall_ns = delay_ns = 0
    quiet, before, cpu_before, begun_ns = noise.read(), usage_now(), time.thread_time_ns(), now_ns()
    while len(durations) < fewest or (now_ns() - begun_ns < _ALONE_NS and len(durations) < _MOST_SAMPLES):
        delayed_ns, started_ns = _delay_ns(), now_ns()
        for _ in range(several):
            function()
        took_ns = now_ns() - started_ns
        delayed_ns = _delay_ns() - delayed_ns
        durations.append(max(1, took_ns - delayed_ns) / several)
        calls, wall_ns, delay_ns = calls + several, wall_ns + took_ns, delay_ns + delayed_ns
        if len(durations) == 1:  # the first call is no measure of the others
            several = max(several, int(_SAMPLE_NS // max(1.0, durations[0])))
    cpu_ns, after = time.thread_time_ns() - cpu_before, usage_now()
    return _Alone(
        durations=durations,
        wall_ns=wall_ns,
        cpu_ns=cpu_ns,
        delay_ns=delay_ns,
        process_cpu_ns=(after.cpu_ns - before.cpu_ns) // calls,
        noise=noise.between(quiet, noise.read()),
    )


def _delay_ns() -> int:
    """Returns the time this thread has waited for a CPU, 0 where the system does not record it."""
    return noise.run_delay_ns(threading.get_native_id()) or 0


def _gil_share(function: Callable[[], Any], typical_ns: float) -> tuple[float | None, str, Noise | None]:
    """Returns the share of the GIL, or why that is not known, and what the machine did meanwhile."""
    if not has_gil():
        return 0.0, "this build has no GIL", None
    shares: list[float] = []
    noises: list[Noise | None] = []
    for _ in range(1 if typical_ns > _SLOW_NS else _WINDOWS):
        with _spinner() as (thread_id, missed):
            threads = (threading.get_native_id(), thread_id)
            quiet, missed_before_ns = noise.read(*threads), missed()
            if quiet is None:
                return None, "this system does not tell how long a thread waited for a CPU", None
            delayed_ns, started_ns, calls = _delay_ns(), now_ns(), 0
            while not calls or now_ns() - started_ns < _WINDOW_NS:
                function()
                calls += 1
            delayed_ns = _delay_ns() - delayed_ns
            shares.append(gil_share(missed() - missed_before_ns, calls * typical_ns, delayed_ns))
            noises.append(noise.between(quiet, noise.read(*threads)))
    return statistics.median(shares), "", noise.total(*noises)


@contextmanager
def _spinner() -> Iterator[tuple[int, Callable[[], float]]]:
    """Runs a thread that spins in Python; yields its system id, and a function: the time that others had the GIL.

    That function gives up the GIL, so that the thread's latest wait counts as well.
    """
    ended = threading.Event()
    total, looks = [0.0], [0]

    def spin() -> None:
        file = KeptFile(f"/proc/self/task/{threading.get_native_id()}/schedstat")  # reading it keeps the GIL
        at_ns, cpu_ns, seen = now_ns(), time.thread_time_ns(), _Switches.read(file)
        while not ended.is_set():
            for _ in range(100):
                pass
            before, at_ns = at_ns - cpu_ns, now_ns()
            cpu_ns = time.thread_time_ns()
            absence_ns = at_ns - cpu_ns - before
            if absence_ns > _ABSENT_NS:
                last, seen = seen, _Switches.read(file)
                total[0] += missed_ns(absence_ns, seen.delay_ns - last.delay_ns, seen.sleeps - last.sleeps)
            looks[0] += 1
        file.close()

    def missed() -> float:
        known = looks[0]
        while looks[0] < known + 2:  # the second one has begun after this was called
            time.sleep(_POLL_S)
        return total[0]

    thread = threading.Thread(target=spin, name="loopstall-spinner", daemon=True)
    thread.start()
    missed()
    try:
        yield thread.native_id or 0, missed
    finally:
        ended.set()
        thread.join()


class _Switches(NamedTuple):
    """The time this thread has waited for a CPU, in ns, and the number of times it has slept."""

    delay_ns: int
    sleeps: int

    @classmethod
    def read(cls, file: KeptFile) -> "_Switches":
        fields = file.read().split()
        return cls(int(fields[1]) if len(fields) > 1 else 0, _sleeps())


def _sleeps() -> int:
    if sys.platform != "linux":
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _pickled(what: Any, kind: str) -> tuple[int | None, int, str]:
    """Returns the size in bytes, the time in ns to write and read it, and why it cannot be done."""
    times = []
    size = 0
    try:
        for _ in range(_PICKLINGS):
            begun_ns = now_ns()
            data = ForkingPickler.dumps(what)
            pickle.loads(data)  # noqa: S301  # our own
            times.append(now_ns() - begun_ns)
            size = len(data)
    except Exception as error:  # noqa: BLE001  # an object may raise anything
        return None, 0, f"the {kind} cannot be pickled ({type(error).__name__}: {error})"
    return size, int(statistics.median(times)), ""


def _caveats(subject: Callable[..., Any], result: Any, first_ns: int, typical_ns: float) -> Iterator[str]:
    """Yields caveats of a function beside its figures."""
    if first_ns > _COLD * typical_ns and first_ns - typical_ns > _COLD_NS:
        yield (
            f"its first call took {first_ns / NS_PER_MS:.0f} ms, later ones {typical_ns / NS_PER_MS:.1f} ms:"
            " call it once in each worker before clients wait for it"
        )
    if inspect.isgenerator(result) or inspect.isawaitable(result):
        yield f"it returns a {type(result).__name__}, so that its work is done later, by whoever goes through it"
    subject = inspect.unwrap(subject)
    while isinstance(subject, partial):
        subject = subject.func
    if _UNSAFE.search(inspect.getdoc(subject) or ""):
        yield "its docstring says that it is not thread-safe"
    if isinstance(subject, FunctionType):
        yield from _in_code(subject)


def _in_code(function: FunctionType) -> Iterator[str]:
    """Yields caveats about threads from a function's own code."""
    written = sorted({step.argval for step in dis.get_instructions(function) if step.opname == "STORE_GLOBAL"})
    if written:
        yield f"it writes the global {', '.join(written)}: threads need a lock there, and each process has its own"
    own = sys.modules.get(function.__module__)
    for module in dict.fromkeys(filter(None, (own, *_modules(function)))):
        level = getattr(module, "threadsafety", None)
        if isinstance(level, int) and level < 2:  # noqa: PLR2004  # PEP 249
            yield f"{module.__name__} says threadsafety = {level}: threads must not share its connections"
        elif _UNSAFE.search(module.__doc__ or ""):
            yield f"{module.__name__} says of itself that it is not thread-safe"


def _modules(function: FunctionType) -> Iterator[ModuleType]:
    """Yields the modules that a function's own code names."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            yield value
