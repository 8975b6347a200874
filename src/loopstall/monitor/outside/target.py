"""The program's process, seen from the helper: what one of its threads does at a moment.

Hands on ``ProgramTarget``. When to look is the looker's matter; how stacks lie in memory, the reader's.
"""

from collections.abc import Callable
import contextlib
import ctypes
from functools import cache
import os
import time

from loopstall.monitor.code_reader import SeenCode
from loopstall.monitor.outside.slot import Seen, Stack
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.syscalls import GIL, READY, RUNNING, wait_in

__all__ = ["ProgramTarget", "plain"]

Place = tuple[int, int]
"""Frame and position of a thread, as ``RemoteReader`` has it."""

Counts = tuple[int, int]
"""The number of times that a thread was given a CPU, and has left one."""

_STEPS = 6  # times that steps are watched for in one look, some 70 µs each
_STOOD, _MOVED = 3, 2  # times in a row that a thread was met at one place, or at another one: chance ends there
_LOADS = ("LOAD_FAST", "LOAD_CONST")
_BRIEF = {"COPY", "EXTENDED_ARG", "KW_NAMES", "NOP", "PUSH_NULL", "RESUME", "SWAP"}
_PROCESSOR = 36  # among the fields of /proc/…/stat that follow the name
_KEPT_FILES = 64
_STATUS_BYTES = 4096


@cache
def _brief() -> frozenset[int]:
    """Returns the numbers of instructions that never take long themselves: ``while True: pass`` stands at one.

    A thread that stands at one in spite of that has no CPU: the host of a virtual machine has stopped it. Whatever lets
    an object go may take long.
    """
    import opcode  # for who computes without a step

    gaps = [number for number, name in enumerate(opcode.opname) if name.startswith("<")]
    specialized = zip(getattr(opcode, "_specialized_instructions", ()), gaps, strict=False)  # until Python 3.12, as dis
    known = opcode.opmap | getattr(opcode, "_specialized_opmap", dict(specialized))
    return frozenset(
        number for name, number in known.items() if "JUMP" in name or name.startswith(_LOADS) or name in _BRIEF
    )


def plain(stack: tuple[tuple[SeenCode, int], ...]) -> Stack:
    """Returns a stack as plain data."""
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
        self._files: dict[tuple[int, str], int] = {}
        self._last: Place = (0, 0)
        self._own_processor = ctypes.CDLL(None).sched_getcpu
        self._processors = os.sched_getaffinity(0)
        self._ahead: dict[int, int] = {}  # of each thread: see ``_has_cpu``
        self._sure: set[int] = set()  # threads of which that is known in this stall
        self._stood = 0  # times in a row at the place of the look before; below zero, at another one

    def close(self) -> None:
        """Gives the descriptors back."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()

    def warm_up(self, thread_id: int) -> None:
        """Looks for nothing: the first look imports, opens files and learns code, for which a short stall has no time.

        Args:
            thread_id: of a thread whose stack will be much the same later.
        """
        self.look(thread_id, first=True, early=lambda _: None)
        _brief()

    def look(self, thread_id: int, *, first: bool, early: Callable[[Seen], object]) -> Seen | None:
        """Returns what a thread does.

        Args:
            thread_id: its number in the system.
            first: whether it is looked at for the first time in a stall.
            early: given the stack as soon as it has been read, before all else is known.

        Returns:
            What was seen, None where the thread cannot be.
        """
        at_ns = time.perf_counter_ns()
        state, argument = wait_in(self._syscall(thread_id))
        reader = self._reader
        seen = reader.walk(thread_id)
        if seen is None:
            return None
        stack, place, coroutine = plain(seen[0]), seen[1], seen[2]
        if first:
            self._sure.discard(thread_id)
        counted = self._counted(thread_id) if thread_id not in self._sure else None
        if state != RUNNING and self.state(thread_id) == state:
            self._learn(thread_id, counted, runs=False)
        stepped, holder_id = False, 0
        holder: Stack = ()
        early(Seen(at_ns, stack, "" if state in {RUNNING, "futex"} else state, stepped, holder_id, holder, *coroutine))
        if state == RUNNING:
            state, stepped = self._watch(thread_id, place, counted, first=first)
            if not stepped:  # it may only have turned over in its sleep
                state, argument = self._settled(thread_id, state)
        if state == "futex" and argument in reader.gil_range():
            state = GIL
            holds = reader.holder()
            held = reader.look(holds) if holds and holds != thread_id else None
            if held:
                holder_id, holder = holds, held
        self._last = place
        return Seen(at_ns, stack, state, stepped, holder_id, holder, *coroutine)

    def state(self, thread_id: int) -> str:
        """Returns the system call that a thread waits in, or a word of ``syscalls``, and nothing more about it."""
        return wait_in(self._syscall(thread_id))[0]

    def _watch(self, thread_id: int, place: Place, counted: Counts | None, *, first: bool) -> tuple[str, bool]:
        """Returns whether a thread that would run does, and whether it takes steps of Python code.

        It is not waited for: where the helper has its CPU, it is told by how often it was met at one place.
        """
        stands, left = self._left(thread_id, place)
        if left:
            self._learn(thread_id, counted, runs=True)
        if left > 1:
            return RUNNING, True
        stood, self._stood = self._stood if not first else 0, 0
        same = place == self._last
        if not first:
            self._stood = max(stood, 0) + 1 if same else min(stood, 0) - 1
        if self._reader.opcode(stands) in _brief():
            return RUNNING, True
        if left:
            return RUNNING, False
        if not self._is_in_the_way(thread_id):
            return RUNNING if self._has_cpu(thread_id) else READY, False
        if self._stood >= _STOOD:
            return RUNNING, False
        return (RUNNING, True) if self._stood <= -_MOVED else (READY, False)

    def _left(self, thread_id: int, place: Place) -> tuple[Place, int]:
        """Returns where a thread stands, and how many places it was seen to leave, up to two.

        Code in Python leaves one after the other. One place is also left from one long call to the next.
        """
        reader, left = self._reader, 0
        for _ in range(_STEPS):
            later = reader.place(thread_id)
            if later in {place, None} and not reader.moves(thread_id, place):
                continue
            left += 1
            if left > 1:
                return place, left
            place = reader.place(thread_id) or place
        return place, 2 if reader.repeats(place) else left

    def _has_cpu(self, thread_id: int) -> bool:
        """Returns whether a thread that would run does, by how often it has been given a CPU and has left one.

        Both are counted at every switch (the kernel's ``sched_info_arrive`` and ``__schedule``), but now and then the
        former is not: by how much a thread without a CPU is ahead begins with 0 and only becomes less. Where the
        system does not count the former, it is taken to run.
        """
        counted = self._counted(thread_id)
        if counted is None:  # it is switched at this moment, which tells nothing of the one before
            return not self._arrivals(thread_id)
        ahead = counted[0] - counted[1]
        least = self._ahead[thread_id] = min(ahead, self._ahead.get(thread_id, 0))
        return ahead > least

    def _learn(self, thread_id: int, counted: Counts | None, *, runs: bool) -> None:
        """Notes by how much a thread is ahead that was known to run, or to wait, between what was counted and now."""
        if counted is not None and counted == self._counted(thread_id):
            self._sure.add(thread_id)
            self._ahead[thread_id] = counted[0] - counted[1] - runs

    def _counted(self, thread_id: int) -> Counts | None:
        """Returns how often a thread was given a CPU and has left one, None where that changes or is unknown."""
        before, left, after = self._arrivals(thread_id), self._departures(thread_id), self._arrivals(thread_id)
        return (after, left) if after and before == after else None

    def _arrivals(self, thread_id: int) -> int:
        fields = self._read(thread_id, "schedstat").split()
        return int(fields[2]) if len(fields) > 2 else 0  # noqa: PLR2004  # CPU time, delay, and this: sched-stats.rst

    def _departures(self, thread_id: int) -> int:
        lines = self._read(thread_id, "status", _STATUS_BYTES).splitlines()
        return sum(int(line.split()[1]) for line in lines if b"ctxt_switches:" in line)  # of its own will, and not

    def _is_in_the_way(self, thread_id: int) -> bool:
        """Returns whether a thread would run on the CPU that this process has, and leaves that to it from now on."""
        fields = self._read(thread_id, "stat").rpartition(b")")[2].split()
        processor = int(fields[_PROCESSOR]) if len(fields) > _PROCESSOR else -1
        if processor != self._own_processor():
            return False
        others = self._processors - {processor}
        with contextlib.suppress(OSError):  # a CPU that is gone
            os.sched_setaffinity(0, others or self._processors)
        return True

    def _settled(self, thread_id: int, state: str) -> tuple[str, int]:
        """Returns what a thread waits in by now, and the first argument of that; the state before where in nothing."""
        later, argument = wait_in(self._syscall(thread_id))
        return (state, 0) if later == RUNNING else (later, argument)

    def clocks(self, thread_id: int) -> tuple[int, int]:
        """Returns what a thread has computed so far and for how long it has had no CPU, in ns; up to 4 ms late."""
        fields = self._read(thread_id, "schedstat").split()
        return (int(fields[0]), int(fields[1])) if len(fields) > 1 else (0, 0)

    def _syscall(self, thread_id: int) -> bytes:
        return self._read(thread_id, "syscall")

    def _read(self, thread_id: int, name: str, most: int = 512) -> bytes:
        """Returns a file of a thread in /proc, b"" where there is none."""
        fd = self._files.get((thread_id, name))
        if fd is None:
            try:
                fd = os.open(f"/proc/{self.pid}/task/{thread_id}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return b""
            if len(self._files) >= _KEPT_FILES:
                self.close()
            self._files[thread_id, name] = fd
        try:
            return os.pread(fd, most, 0)
        except OSError:  # the thread has ended; another may get its number
            os.close(self._files.pop((thread_id, name)))
            self._ahead.pop(thread_id, None)
            return b""
