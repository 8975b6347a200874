"""The result of ``advise``: the function by itself, each way to run it, and the recommendation."""

from dataclasses import dataclass

from loopstall.records.judged import Estimate
from loopstall.records.runs import Noise

__all__ = ["Advice", "Profile", "Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A function measured by itself, in a fresh process; times in ns a call.

    Args:
        calls: how many were measured, the first one apart.
        first_ns: how long the first one took.
        duration: how long the later ones took, less what the calling thread waited for a CPU.
        cpu_share: of that time, how much the calling thread computed; 0 to 1.
        process_cpu_ns: CPU time of all threads and of child processes.
        gil_share: of that time, how much nobody else could run Python; 0 to 1, None where it cannot be told.
        gil_note: why it cannot be told.
        sent_bytes: the arguments, pickled; None where they cannot be.
        returned_bytes: the result, pickled; None where it cannot be.
        pickling_ns: pickling and reading both.
        unpicklable: why something cannot travel to another process, "" where all can.
        memory_bytes: by how much the peak memory of the process grew over the calls.
        caveats: what else was seen, a sentence each.
        noise: what the machine did beside it; None where the system does not tell.
    """

    calls: int
    first_ns: int
    duration: Estimate
    cpu_share: float
    process_cpu_ns: int
    gil_share: float | None
    gil_note: str = ""
    sent_bytes: int | None
    returned_bytes: int | None
    pickling_ns: int
    unpicklable: str = ""
    memory_bytes: int
    caveats: tuple[str, ...] = ()
    noise: Noise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to run the function, at the user's rate; the figures are medians over runs.

    Args:
        strategy: loop and dispatch.
        runs: how many there are.
        jobs: done in all of them.
        response: ns from when a job was due to its end, the median of each run.
        wait: ns that others on the loop may have to wait for it: see ``advice.choose``.
        burden: the two together, which is what ways are compared by.
        cpu_per_job_ns: of all processes.
        memory_bytes: the peak, of all processes.
        priming_ns: to open it, once.
        missing: why it was not measured, "" where it was.
    """

    strategy: str
    runs: int = 0
    jobs: int = 0
    response: Estimate | None = None
    wait: Estimate | None = None
    burden: Estimate | None = None
    cpu_per_job_ns: float = 0.0
    memory_bytes: float = 0.0
    priming_ns: float = 0.0
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The recommendation for a function, with what it rests on.

    Args:
        target: as the user named it.
        load: how jobs came.
        profile: the function by itself.
        ways: in the order of simplicity.
        choice: ``inline``, ``native``, ``to_thread``, ``processes``, ``task queue`` or ``native code``; "" where it
            is not known.
        reason: why, in a sentence with the figures.
        break_even: from what duration of a job on leaving the loop pays, in a sentence; "" where nothing is told.
        caveats: what to look out for, a sentence each.
        code: what to paste.
        noise: what the machine did in the rounds that it disturbed; None where there were none.
    """

    target: str
    load: str
    profile: Profile
    ways: tuple[Way, ...]
    choice: str
    reason: str
    break_even: str = ""
    caveats: tuple[str, ...] = ()
    code: str = ""
    noise: Noise | None = None
