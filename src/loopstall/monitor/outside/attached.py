"""A process that was started by somebody else and is looked at: it has no code of loopstall's, and is not stopped.

Hands on ``Attached``. It reads memory and files in /proc, and does nothing else to the process.
"""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path

from loopstall.monitor.elf import find_asyncio, find_runtime
from loopstall.monitor.outside.loop_frames import loop_of, waits
from loopstall.monitor.outside.slot import Seen, Stack
from loopstall.monitor.outside.target import ProgramTarget, plain
from loopstall.monitor.process_memory import ProcessMemory
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.task_reader import SeenTask, TaskReader
from loopstall.monitor.thread_numbers import ThreadNumbers
from loopstall.monitor.turn_reader import Turn, TurnReader
from loopstall.monitor.unavailable import UnavailableError

__all__ = ["Attached"]

_DEPTH = 1000  # frames: those of the loop are the outermost ones
_TRIES = 5
_NATIVE = "uvloop"
_NAMES_KEPT = 1000
_LONGEST_COMMAND = 1000


class Attached:
    """A process that is looked at from outside.

    Args:
        pid: its number.

    Raises:
        UnavailableError: it cannot be looked at; says why, and what would help.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._memory = ProcessMemory(pid)
        _check_owner(pid)
        runtime, self.version, self.free_threaded = find_runtime(self._memory, pid)
        self.reader = RemoteReader(
            self._memory,
            runtime,
            self.version,
            free_threaded=self.free_threaded,
            depth=_DEPTH,
            numbers=ThreadNumbers(pid),
        )
        self._target = ProgramTarget(pid, self.reader)
        self._turns = TurnReader(self._memory, self.reader)
        self._tasks = TaskReader(self._memory, self.reader, find_asyncio(pid))
        self.command = _command(pid)
        """The words that the process was started with, "" where the system does not tell."""
        self._names: dict[tuple[str, int], str] = {}
        if not self._target.state(pid):
            raise UnavailableError(f"the system does not tell what the threads of process {pid} wait in")
        self._main_name = self._comm(pid)

    def close(self) -> None:
        """Gives everything back."""
        self._target.close()
        self._memory.close()

    @property
    def alive(self) -> bool:
        """True while the process is there and has not ended."""
        try:
            said = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return said.rpartition(")")[2].split()[0] not in {"Z", "X"}

    @property
    def children(self) -> tuple[int, ...]:
        """The processes that it has started and that live."""
        found: list[int] = []
        for path in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, path.read_bytes().split())
        return tuple(sorted(found))

    @property
    def native_loops(self) -> tuple[str, ...]:
        """The event loops in another language that the process has loaded."""
        try:
            maps = Path(f"/proc/{self.pid}/maps").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
        return (_NATIVE,) if f"/{_NATIVE}/" in maps else ()

    def threads(self) -> list[int]:
        """Returns the numbers of its threads that run Python code, the main one first."""
        found = [thread_id for thread_id in dict.fromkeys(self.reader.threads()) if thread_id]
        return sorted(found, key=lambda thread_id: (thread_id != self.pid, thread_id))

    def name(self, thread_id: int) -> str:
        """Returns the name of a thread as the system knows it, "" where it has none of its own.

        Python tells the system its names from 3.14 on.
        """
        if thread_id == self.pid:
            return "MainThread"
        name = self._comm(thread_id)
        return "" if name == self._main_name else name

    def look(self, thread_id: int, *, first: bool = True) -> Seen | None:
        """Returns what a thread does, None where it has ended or is too quick.

        Args:
            thread_id: its number.
            first: whether it has not been looked at shortly before.
        """
        for _ in range(_TRIES):
            seen = self._target.look(thread_id, first=first, early=lambda _: None)
            if seen is not None:
                self._keep_name(thread_id, seen)
                return seen
        return None

    def task_of(self, seen: Seen) -> str:
        """Returns the name of the task that a look has met, "" where it was not to be had."""
        return self._names.get((seen.coroutine, seen.frame), "")

    @property
    def lists_tasks(self) -> bool:
        """True where this version of Python tells which tasks a loop has."""
        return self._tasks.lists_tasks

    def tasks(self, thread_id: int) -> list[SeenTask]:
        """Returns the tasks of the loop in a thread that do not run."""
        running = self._tasks.running(thread_id)
        return [task for task in self._tasks.tasks(thread_id) if task.address != running]

    def stack(self, thread_id: int) -> Stack:
        """Returns where a thread stands, () where it runs no Python code."""
        return self.reader.look(thread_id) or ()

    def state(self, thread_id: int) -> str:
        """Returns the system call that a thread is in, or a word of ``syscalls``; quicker than a look."""
        return self._target.state(thread_id)

    def place(self, thread_id: int) -> tuple[int, int] | None:
        """Returns frame and position of a thread, None where it has none."""
        return self.reader.place(thread_id)

    def turn(self, thread_id: int) -> Turn:
        """Returns the present turn of the loop in a thread."""
        return self._turns.turn(thread_id)

    def loops(self) -> Iterator[tuple[int, str]]:
        """Yields the threads in which an event loop runs, and its kind."""
        native = self.native_loops
        for thread_id in self.threads():
            seen = self.reader.walk(thread_id)
            if seen is None:
                continue
            stack = plain(seen[0])
            kind = loop_of(stack, native=native)
            if not kind and native:  # it need not be run by anything that is known
                kind = native[0] if seen[2][0] or waits(stack, self.state(thread_id), "") else ""
            if kind:
                yield thread_id, kind

    def cpu_ns(self, thread_id: int) -> tuple[int, int] | None:
        """Returns for how long a thread has computed, and waited for a CPU, as the system has counted so far."""
        clocks = self._target.clocks(thread_id)
        return clocks if any(clocks) else None

    def _keep_name(self, thread_id: int, seen: Seen) -> None:
        """Takes the name of the task down that runs: it may have ended when it is asked for."""
        name = self._tasks.name(self._tasks.running(thread_id)) if seen.frame else ""
        if name:
            if len(self._names) >= _NAMES_KEPT:
                self._names.clear()
            self._names[seen.coroutine, seen.frame] = name

    def _comm(self, thread_id: int) -> str:
        try:
            said = Path(f"/proc/{self.pid}/task/{thread_id}/comm").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return said.rstrip("\n")


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode("utf-8", "replace") for word in words)[:_LONGEST_COMMAND]


def _check_owner(pid: int) -> None:
    """Raises an error where a process is another user's, whatever else this one may do."""
    try:
        owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116  # as in process_memory
    except FileNotFoundError:
        raise UnavailableError(f"there is no process {pid}") from None
    if os.geteuid() not in {0, owner}:
        raise UnavailableError(f"process {pid} is not yours: run as its user or as root")
