"""The program's process, seen from the helper: what one of its threads does at a moment.

Hands on ``ProgramTarget``. When to look is the looker's matter; how stacks lie in memory, the reader's.
"""

import os
import time

from loopstall.monitor.code_reader import SeenCode
from loopstall.monitor.outside.slot import Seen, Stack
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.syscalls import GIL, READY, RUNNING, wait_in

__all__ = ["ProgramTarget"]

_STEPS = 8  # places that are read in one look
_STEP_S = 20e-6  # between two
_ON_CPU_SHARE = 0.5  # of that time, by the process
_KEPT_FILES = 64


def _plain(stack: tuple[tuple[SeenCode, int], ...]) -> Stack:
    return tuple((code.co_filename, code.co_qualname, line) for code, line in stack)


class ProgramTarget:
    """A process with Python threads.

    Args:
        pid: its number.
        reader: of its memory.
    """

    def __init__(self, pid: int, reader: RemoteReader) -> None:
        self.pid = pid
        self._reader = reader
        self._process_clock = ~pid << 3 | 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h, of a whole process
        self._files: dict[int, int] = {}

    def close(self) -> None:
        """Gives the descriptors back."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()

    def look(self, thread_id: int) -> Seen | None:
        """Returns what a thread does.

        Args:
            thread_id: its number in the system.

        Returns:
            What was seen, None where the thread cannot be.
        """
        at_ns = time.perf_counter_ns()
        state, argument = wait_in(self._syscall(thread_id))
        reader = self._reader
        seen = reader.walk(thread_id)
        if seen is None:
            return None
        stack, coroutine = _plain(seen[0]), seen[2]
        stepped, holder_id = False, 0
        holder: Stack = ()
        if state == RUNNING:
            state, stepped = self._watch(thread_id)
            if not stepped:  # it may only have turned over in its sleep
                state, argument = self._settled(thread_id, state)
        if state == "futex" and argument in reader.gil_range():
            state = GIL
            holds = reader.holder()
            held = reader.look(holds) if holds and holds != thread_id else None
            if held:
                holder_id, holder = holds, held
        return Seen(at_ns, stack, state, stepped, holder_id, holder, *coroutine)

    def _watch(self, thread_id: int) -> tuple[str, bool]:
        """Returns whether a thread that would run does, and whether it takes steps of Python code."""
        used_ns, began_ns = self._cpu_ns(), time.perf_counter_ns()
        places = set()
        for _ in range(_STEPS):
            places.add(self._reader.place(thread_id))
            if len(places - {None}) > 1:
                return RUNNING, True
            time.sleep(_STEP_S)
        took_ns = time.perf_counter_ns() - began_ns
        return (RUNNING if self._cpu_ns() - used_ns >= took_ns * _ON_CPU_SHARE else READY), False

    def _settled(self, thread_id: int, state: str) -> tuple[str, int]:
        """Returns what a thread waits in by now, and the first argument of that; the state before where in nothing."""
        later, argument = wait_in(self._syscall(thread_id))
        return (state, 0) if later == RUNNING else (later, argument)

    def _cpu_ns(self) -> int:
        try:
            return time.clock_gettime_ns(self._process_clock)
        except OSError:
            return 0

    def _syscall(self, thread_id: int) -> bytes:
        fd = self._files.get(thread_id)
        if fd is None:
            try:
                fd = os.open(f"/proc/{self.pid}/task/{thread_id}/syscall", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return b""
            if len(self._files) >= _KEPT_FILES:
                self.close()
            self._files[thread_id] = fd
        try:
            return os.pread(fd, 256, 0)
        except OSError:  # the thread has ended; another may get its number
            os.close(self._files.pop(thread_id))
            return b""
