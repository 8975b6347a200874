"""A process at one moment, as it is seen from outside: its threads, their event loops, the tasks."""

from dataclasses import dataclass

from loopstall.records.stalls import Frame

__all__ = ["ProcessDump", "TaskDump", "ThreadDump"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDump:
    """A task that does not run.

    Args:
        name: of the task, "" where it cannot be had.
        coroutine: the name of its outermost coroutine.
        stack: the line of each of its coroutines, innermost first.
        awaits: the task that the innermost one awaits, or the type of what it awaits.
    """

    name: str
    coroutine: str
    stack: tuple[Frame, ...] = ()
    awaits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadDump:
    """A thread.

    Args:
        thread_id: its number in the system.
        name: "" where the system knows none.
        loop: the kind of event loop that it runs, "" for none.
        state: ``waits for events``, ``runs Python``, ``runs native code``, ``in a system call``, ``waits for the GIL``,
            ``ready, without a CPU``, or ``unknown``.
        syscall: the system call that it is in, if it is in one.
        holder_id: the thread that holds the GIL where it waits for that, 0 where nobody does.
        holder: the innermost frame of that thread.
        stack: innermost frame first.
        task: the name of the running task, "" where there is none or it cannot be had.
        coroutine: the name of its coroutine, "" for none.
        tasks: the other tasks of its loop.
    """

    thread_id: int
    name: str
    loop: str
    state: str
    syscall: str = ""
    holder_id: int = 0
    holder: Frame | None = None
    stack: tuple[Frame, ...] = ()
    task: str = ""
    coroutine: str = ""
    tasks: tuple[TaskDump, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDump:
    """A process.

    Args:
        pid: its number.
        command: the words that it was started with.
        python: the version, with a "t" behind it for a free-threaded build.
        threads: those that run Python code, those with an event loop first.
        children: the numbers of the processes that it has started and that live.
        notes: what this version does not tell, a sentence each.
    """

    pid: int
    command: str
    python: str
    threads: tuple[ThreadDump, ...]
    children: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
