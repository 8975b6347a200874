"""Stalls, their places, and the evidence of their causes."""

from dataclasses import dataclass

__all__ = ["DESCHEDULED", "Evidence", "Frame", "StackSample", "Stall", "StallPart"]

DESCHEDULED = "descheduled"
"""The cause of a stall that the machine made, not the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence of a stall's cause: differences over ``window_ns``, which begins shortly before it.

    CPU time of the loop's thread and of the process' other threads; ``run_delay_ns``, for how long the loop's
    thread was ready and had no CPU (None where the system does not tell); for how long a CPU quota stopped the
    process; time in the garbage collector; ``overran_ns``, how much later than asked for the loop came back from
    waiting for events; ``starved_ns``, for how long the watchdog was kept from looking; how many questions asked the
    loop's thread where it was, how many of them came in the middle of something longer than a fraction of a ms, and
    ``unanswered_ns``, for how long they waited in all; of how many ``looks`` from outside how many found it in the
    middle of a C call, how many computing while the GIL was free, and how many computing without a step of Python code;
    ``syscalls``, what it was waiting in when it was seen: a system call, or ``GIL``; ``gil``, whether the interpreter
    had one when the stall ended.

    ``outside`` says that a helper process looked; then nobody was asked and nobody starved, and the time of the
    stall is divided by what the looks saw: steps of Python code, computing without a step, waiting for the GIL while
    another thread held it, waiting for anything else, and being ready without a CPU (``ready_ns``, since it came back
    from waiting for events).
    """

    duration_ns: int
    threshold_ns: int
    window_ns: int
    own_cpu_ns: int
    other_cpu_ns: int
    run_delay_ns: int | None = None
    throttled_ns: int = 0
    gc_ns: int = 0
    overran_ns: int = 0
    starved_ns: int = 0
    asked: int = 0
    late: int = 0
    unanswered_ns: int = 0
    looks: int = 0
    in_c: int = 0
    free: int = 0
    still: int = 0
    gil: bool = True
    syscalls: tuple[str, ...] = ()
    outside: bool = False
    python_ns: int = 0
    native_ns: int = 0
    gil_ns: int = 0
    waiting_ns: int = 0
    ready_ns: int = 0

    @property
    def waited_cpu_ns(self) -> int:
        """For how long the loop's thread could have run and had no CPU, by a quota or because others had it.

        The system may tell the same time by both; in none of it can the thread have computed.
        """
        told_ns = (self.run_delay_ns or 0) + self.throttled_ns
        return max(0, min(told_ns, self.duration_ns - self.own_cpu_ns))


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSample:
    """The place of the loop's thread at one moment of a stall, ``at_ns`` from its start.

    ``state`` is the system call that it waited in, ``GIL`` where it waited for that, or ``running``.
    """

    at_ns: int
    culprit: Frame | None
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StallPart:
    """A callback's part in a stall, where the loop ran several without a look at what else was due.

    ``share`` is its part of the time, from 0 to 1; the rest is as in ``Stall``.
    """

    culprit: Frame | None
    share: float
    task: str = ""
    coroutine: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A span in which the loop ran no due callback; its start counts from the measurement's, in ns.

    ``rule`` says by which comparison of the evidence the cause was chosen; ``task`` and ``coroutine`` name what the
    loop was running, ``label`` is what the program itself says of it (a route); ``glimpses`` split a long stall;
    ``holder`` is the culprit of the thread that held the GIL, where that is the cause, ``holder_thread`` its name.
    ``parts`` are the callbacks that took a tenth of the time or more, the longest first, where there are several.
    """

    start_ns: int
    duration_ns: int
    cause: str = "unknown"
    rule: str = ""
    culprit: Frame | None = None
    stack: tuple[Frame, ...] = ()
    task: str = ""
    coroutine: str = ""
    label: str = ""
    glimpses: tuple[StackSample, ...] = ()
    holder: Frame | None = None
    holder_thread: str = ""
    evidence: Evidence | None = None
    parts: tuple[StallPart, ...] = ()

    @property
    def beside(self) -> tuple[StallPart, ...]:
        """The parts of other callbacks than the one of its culprit."""
        same = [part for part in self.parts if part.culprit == self.culprit]
        own = next((part for part in same if part.task == self.task), same[0] if same else None)
        return tuple(part for part in self.parts if part is not own)

    @property
    def waited_cpu_ns(self) -> int:
        """The part of it in which the loop's thread waited for a CPU, as far as that is known."""
        return self.evidence.waited_cpu_ns if self.evidence is not None else 0

    @property
    def own_ns(self) -> int:
        """The part of it that is the program's own: the rest."""
        return max(0, self.duration_ns - self.waited_cpu_ns)
