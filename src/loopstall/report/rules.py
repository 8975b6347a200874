"""What findings mean and what to do about them, in words; the standard library alone."""

from dataclasses import dataclass

__all__ = ["RULES", "Rule", "rule_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a diagnosis means, in words: its title, the likely cause, what to do, and the command to do it with."""

    name: str
    title: str
    cause: str
    advice: str
    command: str = ""


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

_OF_CAUSE = {
    "blocking-call": "sync-wait-on-loop",
    "cpu-python": "cpu-on-loop",
    "cpu-native": "cpu-on-loop",
    "cpu": "cpu-on-loop",
    "gil-wait": "gil-contention",
    "gc": "gc-pause",
}


def rule_of(cause: str) -> Rule:
    """Returns what stalls of a cause mean."""
    return RULES[_OF_CAUSE.get(cause, "stall-of-unknown-cause")]
