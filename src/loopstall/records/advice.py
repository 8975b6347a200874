"""The result of ``advise``: the function by itself, each way to run it, and the recommendation."""

from dataclasses import dataclass

from loopstall.records.judged import Estimate
from loopstall.records.runs import Noise

__all__ = ["Advice", "Profile", "Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A function measured by itself, in a fresh process; times in ns a call.

    Args:
        calls: the number of measured calls without the first one.
        first_ns: the duration of the first call.
        duration: the duration of the later calls, less the calling thread's wait for a CPU.
        cpu_share: of that time, how much the calling thread computed; 0 to 1.
        process_cpu_ns: CPU time of all threads and of child processes.
        gil_share: the share of that time in which no other thread could run Python; 0 to 1, None where it is unknown.
        gil_note: the reason why it is unknown.
        sent_bytes: the arguments, pickled; None where they cannot be.
        returned_bytes: the result, pickled; None where it cannot be.
        pickling_ns: pickling and reading both.
        unpicklable: why something cannot travel to another process, "" where all can.
        memory_bytes: by how much the peak memory of the process grew over the calls.
        caveats: further observations, a sentence each.
        noise: the noise of the machine meanwhile; None where the system does not record it.
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
        runs: the number of runs.
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
        load: the arrival of jobs.
        profile: the function by itself.
        ways: in the order of simplicity.
        choice: ``inline``, ``async``, ``to_thread``, ``processes``, ``task queue`` or ``native code``; "" where it
            is not known.
        reason: why, in a sentence with the figures.
        break_even: the duration of a job from which leaving the loop pays, in a sentence; "" where it is unknown.
        caveats: things to look out for, a sentence each.
        code: the code to paste.
        noise: the noise of the machine in the rounds that it disturbed; None where there were none.
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
