"""The texts of findings: their meaning and what to do. Imports the records and the standard library alone."""

from dataclasses import dataclass, replace

from loopstall.records import Stall

__all__ = ["OF_TRAPS", "RULES", "Rule", "had_gil", "rule_named", "rule_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The text of a finding: title, likely cause, advice, and the command to follow it with."""

    name: str
    title: str
    cause: str
    advice: str
    command: str = ""


_AGAIN = "loopstall run {workload} -s {loop}/{dispatch} --rigorous"

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            name="failed",
            title="A cell failed",
            cause="A job raised an exception, hung, crashed or returned a wrong result.",
            advice="Fix the error and complete the result; a cell that failed is not judged.",
            command="loopstall run --resume -o {folder}",
        ),
        Rule(
            name="sync-wait-on-loop",
            title="A blocking call on the event loop",
            cause="The loop's thread waits in a system call or for a lock: a file, a socket, a synchronous client.",
            advice="Await an async version of the call, or run it in a thread: waiting needs no CPU.",
            command="loopstall run {workload} -s {loop}/async -s {loop}/to_thread",
        ),
        Rule(
            name="cpu-on-loop",
            title="CPU-bound work on the event loop",
            cause="The loop's thread computes, and every other client waits until it is done.",
            advice="Run it in a process pool; a thread helps only where the work is in C code that releases the GIL.",
            command="loopstall run {workload} -s {loop}/processes -s {loop}/to_thread",
        ),
        Rule(
            name="gil-contention",
            title="Another thread holds the GIL",
            cause="The work runs in another thread of the same interpreter, and the loop waits for the GIL.",
            advice="Run the work in processes instead of threads, or in native code that releases the GIL.",
            command="loopstall run {workload} -s {loop}/processes",
        ),
        Rule(
            name="gc-pause",
            title="Garbage collection pauses",
            cause="A collection of the oldest generation runs on the loop's thread and visits every object.",
            advice="Call gc.freeze() after start-up, create fewer long-lived objects, or raise gc.set_threshold.",
        ),
        Rule(
            name="stall-of-unknown-cause",
            title="The loop is blocked, cause unknown",
            cause="The monitor saw that the loop made no progress, but too little else to say why.",
            advice="Run it on Linux with a lower threshold, where the monitor sees more.",
            command="loopstall run {workload} -s {loop}/{dispatch} --threshold 2ms",
        ),
        Rule(
            name="server-busy",
            title="Light requests wait for heavy ones",
            cause="A worker that handles a heavy request accepts no other one, and its threads share one GIL.",
            advice="More workers raise the limit; a process pool or a queue behind an asynchronous server removes it.",
            command="loopstall serve-bench gunicorn-4 uvicorn-1/processes uvicorn-1/celery",
        ),
        Rule(
            name="pool-saturated",
            title="The pool is too small for the load",
            cause="Jobs wait longer for a free worker than they take to run.",
            advice="Add workers to the pool, lower the rate, or shed load before it queues.",
            command="loopstall run {workload} -s {loop}/{dispatch} --rate 10",
        ),
        Rule(
            name="offload-overhead",
            title="Offloading costs more than it saves",
            cause="The same work is faster on the loop, and does not stall it there.",
            advice="Keep it on the loop, or offload many small jobs in one batch.",
            command="loopstall run {workload} -s {loop} -s {loop}/{dispatch}",
        ),
        Rule(
            name="cancelled-thread",
            title="The thread of a cancelled task keeps running",
            cause="Cancellation ends the await, not the thread, which keeps running and occupies a worker of the pool.",
            advice="Pass it an Event to check between steps, or run what has to be killed in a process.",
            command=_AGAIN,
        ),
        Rule(
            name="pool-not-primed",
            title="The first job waits for the pool to start",
            cause="A pool starts its workers with the first job, and a spawned worker imports the program again.",
            advice="Submit one job per worker at start-up, before the first client connects.",
            command=_AGAIN,
        ),
        Rule(
            name="executor-too-narrow",
            title="The default executor is full",
            cause="It has min(32, cores + 4) threads for the whole program, and further calls wait in its queue.",
            advice="Give these calls a ThreadPoolExecutor of their own, with as many threads as calls run at a time.",
            command=_AGAIN,
        ),
        Rule(
            name="pickling-dominates",
            title="Sending the argument costs more than the job",
            cause="What goes to another process is pickled, written, read and unpickled, partly by the loop's process.",
            advice="Send a reference (a path, a key, the name of shared memory), or run the job where the data is.",
            command=_AGAIN,
        ),
        Rule(
            name="awaits-in-a-row",
            title="Independent calls awaited one by one",
            cause="Calls that do not depend on each other are awaited one after the other: a client waits for the sum.",
            advice="Use asyncio.gather or a TaskGroup, with a Semaphore where the other side has a limit.",
            command=_AGAIN,
        ),
        Rule(
            name="blocking-generator",
            title="An asynchronous generator that blocks",
            cause="`async for` lets others run only where the generator awaits, and this one blocks.",
            advice="Await in the generator: an asynchronous source, or asyncio.to_thread around each step.",
            command=_AGAIN,
        ),
        Rule(
            name="lock-across-await",
            title="A lock is held across an await",
            cause="Everyone who needs the lock waits for the awaited call; the loop is free, so no stall shows it.",
            advice="Hold it only for the update, or use one lock per key.",
            command=_AGAIN,
        ),
        Rule(
            name="native-code-pays",
            title="Native code does the same in a fraction of the time",
            cause="The work is done byte by byte in Python, under the GIL; a library does it in C and releases it.",
            advice="Use that library (numpy, zlib, hashlib, a Rust extension): then a thread is enough, or none.",
            command=_AGAIN,
        ),
        Rule(
            name="noisy-machine",
            title="The machine is busy with something else",
            cause="The loop's thread was preempted; these stalls are counted separately and break no budget.",
            advice="Measure again on an idle machine.",
        ),
        Rule(
            name="insufficient-data",
            title="Too few runs to be sure",
            cause="An interval over so few runs contains the true value in fewer than nine of ten cases.",
            advice="Measure more runs per cell before you rely on it.",
            command="loopstall run --processes 7",
        ),
        Rule(
            name="clean",
            title="No loop was blocked",
            cause="Every cell is within its budget.",
            advice="Keep it that way: run the gate in CI.",
            command="loopstall gate",
        ),
    )
}

_WITHOUT_GIL = {
    rule.name: rule
    for rule in (
        replace(
            RULES["cpu-on-loop"],
            advice="Run it in a thread: this Python has no GIL, so that a thread computes in parallel with the loop.",
            command="loopstall run {workload} -s {loop}/to_thread -s {loop}/processes",
        ),
        replace(
            RULES["server-busy"],
            cause="A worker that handles a heavy request accepts no other one; its threads share the machine's cores.",
        ),
        replace(
            RULES["native-code-pays"],
            cause="The work is done byte by byte in Python; a library does it in C.",
        ),
    )
}
"""Texts that differ on a Python without a GIL."""

_OF_CAUSE = {
    "blocking-call": "sync-wait-on-loop",
    "cpu-python": "cpu-on-loop",
    "cpu-native": "cpu-on-loop",
    "cpu": "cpu-on-loop",
    "gil-wait": "gil-contention",
    "gc": "gc-pause",
    "descheduled": "noisy-machine",
}


OF_TRAPS = frozenset({*_OF_CAUSE.values(), "stall-of-unknown-cause", "server-busy"})
"""The rules of findings about traps."""


def rule_named(name: str, *, gil: bool) -> Rule:
    """Returns a rule as it is for a Python with a GIL or without."""
    return RULES[name] if gil else _WITHOUT_GIL.get(name, RULES[name])


def had_gil(*stalls: Stall) -> bool:
    """Returns whether the Python that stalled had a GIL; where no evidence is kept it is taken to have had one."""
    return all(stall.evidence is None or stall.evidence.gil for stall in stalls)


def rule_of(cause: str, *, gil: bool = True) -> Rule:
    """Returns what stalls of a cause mean.

    Args:
        cause: as the monitor names it.
        gil: whether the Python that stalled had one.
    """
    return rule_named(_OF_CAUSE.get(cause, "stall-of-unknown-cause"), gil=gil)
