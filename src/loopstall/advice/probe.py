"""Measures a function by itself: how long, computing or waiting, with or without the GIL, and what travelling costs."""

from collections.abc import Callable, Iterator
import contextlib
from contextlib import contextmanager
import dis
from functools import partial
import inspect
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
import pickle
import re
import statistics
import sys
import threading
import time
from types import FunctionType, ModuleType
from typing import Any

from loopstall.advice import call
from loopstall.advice.target import load
from loopstall.clock import NS_PER_MS, NS_PER_S, now_ns
from loopstall.monitor.gil import has_gil
from loopstall.records import Cell, Profile
from loopstall.stats.median import median_estimate
from loopstall.usage import usage_now
from loopstall.workloads import resolve

__all__ = ["probe", "probe_cell"]

_FEWEST_CALLS = 3
_MOST_SAMPLES = 200
_ALONE_NS = NS_PER_S // 2
_SAMPLE_NS = NS_PER_MS  # calls that are quicker are timed several at a time
_WINDOW_NS = NS_PER_S // 10  # beside a spinning thread
_WINDOWS = 3
_SLOW_NS = NS_PER_S  # from here on, of few calls
_PICKLINGS = 5
_COLD = 3.0  # times as long as later ones is a first call that needs priming
_COLD_NS = 5 * NS_PER_MS
_UNSAFE = re.compile(r"\bnot\s+thread[- ]?safe\b|\bthread[- ]?unsafe\b", re.IGNORECASE)


def probe_cell(cell: Cell, *, seed: int) -> Profile:
    """Measures the function of a cell's workload, with its parameters, by itself.

    Raises:
        BaseException: whatever it or the workload's context raises.
    """
    workload = resolve(cell.workload.path, cell.workload.name)
    params: dict[str, Any] = dict(cell.params)
    with contextlib.ExitStack() as stack:
        extra = stack.enter_context(workload.make_context(seed, **params)) if workload.make_context else None
        kwargs = {**params, **(extra or {})}
        subject = load(kwargs["target"]) if workload.path == call.__file__ else workload.function
        return probe(partial(workload.function, seed, **kwargs), subject, kwargs)


def probe(function: Callable[[], Any], subject: Callable[..., Any], travels: Any) -> Profile:
    """Measures a function in this process, which should be fresh.

    Args:
        function: does one call.
        subject: what it calls, whose code and module are looked at.
        travels: what would go to another process for a call.

    Raises:
        BaseException: whatever the function raises.
    """
    memory_before = usage_now().peak_memory_bytes
    begun_ns = now_ns()
    result = function()
    first_ns = now_ns() - begun_ns
    durations, cpu_share, process_cpu_ns, undelayed = _alone(function, first_ns)
    memory_bytes = max(0, usage_now().peak_memory_bytes - memory_before)
    typical_ns = statistics.median(durations)
    gil_share, gil_note = _gil_share(function, typical_ns * undelayed)
    sent, sending_ns, sent_why = _pickled(travels, "arguments")
    returned, returning_ns, returned_why = _pickled(result, "result")
    return Profile(
        calls=len(durations),
        first_ns=first_ns,
        duration=median_estimate(durations),
        cpu_share=cpu_share,
        process_cpu_ns=process_cpu_ns,
        gil_share=gil_share,
        gil_note=gil_note,
        sent_bytes=sent,
        returned_bytes=returned,
        pickling_ns=sending_ns + returning_ns,
        unpicklable="; ".join(filter(None, (sent_why, returned_why))),
        memory_bytes=memory_bytes,
        caveats=tuple(_caveats(subject, result, first_ns, typical_ns)),
    )


def _alone(function: Callable[[], Any], first_ns: int) -> tuple[list[float], float, int, float]:
    """Returns what calls took.

    Returns:
        The duration of calls in ns, the share in which this thread computed, the CPU time of each in ns, and the share
        in which this thread did not wait for a CPU.
    """
    several = max(1, int(_SAMPLE_NS // max(1, first_ns)))
    slow = first_ns > _SLOW_NS
    if not slow:
        function()
    fewest = 2 if slow else _FEWEST_CALLS
    durations: list[float] = []
    delay_before = _delay_ns(threading.get_native_id()) or 0
    before, thread_before, begun_ns = usage_now(), time.thread_time_ns(), now_ns()
    while len(durations) < fewest or (now_ns() - begun_ns < _ALONE_NS and len(durations) < _MOST_SAMPLES):
        started_ns = now_ns()
        for _ in range(several):
            function()
        durations.append((now_ns() - started_ns) / several)
        if len(durations) == 1:  # the first call is no measure of the others
            several = max(several, int(_SAMPLE_NS // max(1.0, durations[0])))
    wall_ns, thread_ns = now_ns() - begun_ns, time.thread_time_ns() - thread_before
    delay_ns = (_delay_ns(threading.get_native_id()) or 0) - delay_before
    after = usage_now()
    calls = max(1.0, wall_ns / statistics.median(durations))
    cpu_ns = after.cpu_ns - before.cpu_ns
    return durations, min(1.0, thread_ns / wall_ns), int(cpu_ns / calls), max(0.1, 1 - delay_ns / wall_ns)


def _delay_ns(thread_id: int) -> int | None:
    """Returns for how long a thread of this process has waited for a CPU, in ns, None where nobody tells."""
    try:
        return int(Path(f"/proc/self/task/{thread_id}/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _gil_share(function: Callable[[], Any], typical_ns: float) -> tuple[float | None, str]:
    """Returns in how much of its time the function lets no other thread run Python, or why that is not known.

    A thread that only spins runs whenever it may. How long it neither computes nor waits for a CPU while the function
    runs beside it, over the time that the function takes alone, is what the function kept the GIL for.
    """
    if not has_gil():
        return 0.0, "this build has no GIL"
    shares = []
    for _ in range(1 if typical_ns > _SLOW_NS else _WINDOWS):
        with _spinner() as ran_ns:
            ran, started, calls = ran_ns(), now_ns(), 0
            if ran is None:
                return None, "this system does not tell how long a thread waited for a CPU"
            while not calls or now_ns() - started < _WINDOW_NS:
                function()
                calls += 1
            missed_ns = now_ns() - started - ((ran_ns() or 0) - ran)
        shares.append(missed_ns / (calls * typical_ns))
    return min(1.0, max(0.0, statistics.median(shares))), ""


@contextmanager
def _spinner() -> Iterator[Callable[[], int | None]]:
    """Runs a thread that spins in Python, and gives what tells how long it has had the GIL, in ns.

    That is its CPU time and its waiting for a CPU; None where the system does not tell the latter.
    """
    ended, ready = threading.Event(), threading.Event()
    spun = [0]

    def spin() -> None:
        while not ended.is_set():
            for _ in range(100):
                pass
            spun[0] = time.thread_time_ns()
            ready.set()

    thread = threading.Thread(target=spin, name="loopstall-spinner", daemon=True)
    thread.start()
    ready.wait()

    def ran_ns() -> int | None:
        delay_ns = _delay_ns(thread.native_id or 0)
        return None if delay_ns is None else spun[0] + delay_ns

    try:
        yield ran_ns
    finally:
        ended.set()
        thread.join()


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
    """Tells what is to be seen of a function beside its figures."""
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
    """Tells what a function's own code says about threads."""
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
