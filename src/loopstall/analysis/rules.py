"""The texts of findings: their meaning and what to do. Imports the records and the standard library alone."""

from dataclasses import dataclass, replace

from loopstall.records import Stall

__all__ = ["RULES", "Rule", "had_gil", "rule_named", "rule_of"]


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
            cause="A job raised, hung, crashed or returned something wrong.",
            advice="Mend it and complete the result; nothing is judged of a cell that failed.",
            command="loopstall run --resume -o {folder}",
        ),
        Rule(
            name="sync-wait-on-loop",
            title="A synchronous wait on the event loop",
            cause="The loop's thread waits in a system call or for a lock: a file, a socket, a synchronous client.",
            advice="Await an asynchronous twin of the call, or send it to a thread: waiting needs no CPU.",
            command="loopstall run {workload} -s {loop}/native -s {loop}/to_thread",
        ),
        Rule(
            name="cpu-on-loop",
            title="Computing on the event loop",
            cause="The loop's thread computes, and every other client waits until it is done.",
            advice="Send it to a process pool; a thread helps only where the work is in C code that releases the GIL.",
            command="loopstall run {workload} -s {loop}/processes -s {loop}/to_thread",
        ),
        Rule(
            name="gil-contention",
            title="Another thread holds the GIL",
            cause="The work left the loop's thread, but not its interpreter: the loop waits for the GIL.",
            advice="Send the work to processes instead of threads, or to native code that releases the GIL.",
            command="loopstall run {workload} -s {loop}/processes",
        ),
        Rule(
            name="gc-pause",
            title="Pauses of the garbage collector",
            cause="A collection of the oldest generation runs on the loop's thread and looks at every object.",
            advice="Call gc.freeze() after start-up, make fewer long-lived objects, or raise gc.set_threshold.",
        ),
        Rule(
            name="stall-of-unknown-cause",
            title="The loop is blocked, and the cause was not seen",
            cause="The monitor saw that the loop ran nothing, and too little else to tell why.",
            advice="Run it on Linux under a lower threshold, where the monitor sees more.",
            command="loopstall run {workload} -s {loop}/{dispatch} --threshold 2ms",
        ),
        Rule(
            name="server-busy",
            title="Light requests wait for heavy ones",
            cause="A worker that does heavy work takes no other request, and a thread shares the GIL with all others.",
            advice="More workers move the limit, and processes or a queue behind an asynchronous server remove it.",
            command="loopstall serve-bench gunicorn-4 uvicorn-1/processes uvicorn-1/celery",
        ),
        Rule(
            name="pool-saturated",
            title="The pool is too narrow for the load",
            cause="Jobs wait longer for a free worker than they take.",
            advice="Widen the pool, lower the rate, or shed load before it queues.",
            command="loopstall run {workload} -s {loop}/{dispatch} --rate 10",
        ),
        Rule(
            name="offload-overhead",
            title="Sending it away costs more than it saves",
            cause="The same work is faster on the loop, and does not stall it there.",
            advice="Leave it on the loop, or send many small jobs away at once.",
            command="loopstall run {workload} -s {loop} -s {loop}/{dispatch}",
        ),
        Rule(
            name="cancelled-thread",
            title="A cancelled task's thread goes on",
            cause="Cancelling reaches the await, not the thread: it goes on, and keeps its place in the pool.",
            advice="Hand it an Event and look at it between steps, or run what must be killed in a process.",
            command=_AGAIN,
        ),
        Rule(
            name="pool-not-primed",
            title="The first job pays for starting the pool",
            cause="A pool starts its workers when the first job comes, and a spawned one imports the program anew.",
            advice="Submit one job a worker before clients come, in the program's lifespan.",
            command=_AGAIN,
        ),
        Rule(
            name="executor-too-narrow",
            title="The default executor is full",
            cause="It has min(32, cores + 4) threads for the whole program, and further calls stand in line.",
            advice="Give this kind of call a ThreadPoolExecutor of its own, as wide as it is called at a time.",
            command=_AGAIN,
        ),
        Rule(
            name="pickling-dominates",
            title="Sending the argument costs more than the job",
            cause="What goes to a process is pickled, written, read and built again, on the loop's process as well.",
            advice="Send where the data is (a path, a key, a shared memory's name), or do the job where the data is.",
            command=_AGAIN,
        ),
        Rule(
            name="awaits-in-a-row",
            title="One await after the other",
            cause="What does not depend on each other is awaited in a loop: a client waits for the sum.",
            advice="Use asyncio.gather or a TaskGroup, with a Semaphore where the other side has a limit.",
            command=_AGAIN,
        ),
        Rule(
            name="blocking-generator",
            title="An asynchronous generator that blocks",
            cause="`async for` lets others run where the body awaits, and this one waits synchronously.",
            advice="Await in the body: an asynchronous source, or asyncio.to_thread around each step.",
            command=_AGAIN,
        ),
        Rule(
            name="lock-across-await",
            title="A lock is held across an await",
            cause="Whoever needs the lock waits for somebody else's network; the loop is free, and no stall shows it.",
            advice="Hold it for the update alone, or have a lock for each key.",
            command=_AGAIN,
        ),
        Rule(
            name="native-code-pays",
            title="Native code does the same in a fraction of the time",
            cause="The work is done byte by byte in Python, under the GIL; a library has it in C and gives the GIL up.",
            advice="Use that library (numpy, zlib, hashlib, a Rust extension): then a thread is enough, or none.",
            command=_AGAIN,
        ),
        Rule(
            name="noisy-machine",
            title="The machine is busy with something else",
            cause="The loop was ready and had no CPU; those stalls are counted apart and break no budget.",
            advice="Measure again while the machine is quiet, or on one of your own.",
        ),
        Rule(
            name="insufficient-data",
            title="Too few runs to be sure",
            cause="An interval over so few runs holds the true value less often than in nine cases of ten.",
            advice="Measure more runs a cell before you decide by it.",
            command="loopstall run --processes 7",
        ),
        Rule(
            name="clean",
            title="No loop was blocked",
            cause="Every cell kept its budget.",
            advice="Keep it that way: let the gate watch it.",
            command="loopstall gate",
        ),
    )
}

_WITHOUT_GIL = {
    rule.name: rule
    for rule in (
        replace(
            RULES["cpu-on-loop"],
            advice="Send it to a thread: this Python has no GIL, so that a thread computes beside the loop.",
            command="loopstall run {workload} -s {loop}/to_thread -s {loop}/processes",
        ),
        replace(
            RULES["server-busy"],
            cause="A worker that does heavy work takes no other request, and its threads share the machine's cores.",
        ),
        replace(
            RULES["native-code-pays"],
            cause="The work is done byte by byte in Python; a library has it in C.",
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
