"""A record of a process as it is at this moment, taken from outside.

Hands on ``dump_of``. How it is printed is no matter of this module.
"""

from loopstall.monitor.code_reader import SeenCode
from loopstall.monitor.outside.attached import Attached
from loopstall.monitor.outside.loop_frames import loop_of, waits
from loopstall.monitor.outside.slot import Stack
from loopstall.monitor.stack import resolve
from loopstall.monitor.syscalls import GIL, READY, RUNNING
from loopstall.records.dumps import ProcessDump, TaskDump, ThreadDump
from loopstall.records.frames import culprit

__all__ = ["dump_of"]

_UNKNOWN, _WAITS = "unknown", "waits for events"
_ONLY_RUNNING = "Python {} does not tell from outside which other tasks there are; 3.14 and later do."
_NO_NAMES = "this build of Python {} tells no names of tasks."


def dump_of(process: Attached) -> ProcessDump:
    """Looks at every thread of a process once.

    Args:
        process: that is looked at.
    """
    loops = dict(process.loops())
    threads = [_thread(process, thread_id, loops.get(thread_id, "")) for thread_id in process.threads()]
    found = [thread for thread in threads if thread is not None]
    python = ".".join(map(str, process.version)) + ("t" if process.free_threaded else "")
    return ProcessDump(
        pid=process.pid,
        command=process.command,
        python=python,
        threads=tuple(sorted(found, key=lambda thread: not thread.loop)),
        children=process.children,
        notes=_notes(process, python) if any(thread.loop in {"asyncio", "uvloop"} for thread in found) else (),
    )


def _notes(process: Attached, python: str) -> tuple[str, ...]:
    if process.lists_tasks:
        return ()
    return (_ONLY_RUNNING.format(python), *([_NO_NAMES.format(python)] if process.free_threaded else []))


def _thread(process: Attached, thread_id: int, kind: str) -> ThreadDump | None:
    """Returns a thread as it is; None where it has ended."""
    seen = process.look(thread_id)
    if seen is None:
        state, syscall = _state(process.state(thread_id), stepped=False)
        if state == _UNKNOWN:
            return None
        return ThreadDump(thread_id=thread_id, name=process.name(thread_id), loop=kind, state=state, syscall=syscall)
    kind = loop_of(seen.stack, native=process.native_loops) or kind
    waiting = bool(kind) and waits(seen.stack, seen.state, seen.coroutine)
    state, syscall = (_WAITS, seen.state) if waiting else _state(seen.state, stepped=seen.stepped)
    return ThreadDump(
        thread_id=thread_id,
        name=process.name(thread_id),
        loop=kind,
        state=state,
        syscall=syscall,
        holder_id=seen.holder_id,
        holder=culprit(resolve(_raw(seen.holder))),
        stack=resolve(_raw(seen.stack)),
        task=process.task_of(seen) if kind and not waiting else "",
        coroutine=seen.coroutine if kind and not waiting else "",
        tasks=_tasks(process, thread_id) if kind else (),
    )


def _state(state: str, *, stepped: bool) -> tuple[str, str]:
    """Returns the state of a thread in words, and the system call, if it is in one."""
    words = {
        RUNNING: "runs Python" if stepped else "runs native code",
        GIL: "waits for the GIL",
        READY: "ready, without a CPU",
        "": _UNKNOWN,
    }
    return (words[state], "") if state in words else ("in a system call", state)


def _tasks(process: Attached, thread_id: int) -> tuple[TaskDump, ...]:
    return tuple(
        TaskDump(name=task.name, coroutine=task.coroutine, stack=resolve(task.stack), awaits=task.awaits)
        for task in process.tasks(thread_id)
    )


def _raw(stack: Stack) -> tuple[tuple[SeenCode, int], ...]:
    return tuple((SeenCode(file, name), line) for file, name, line in stack)
