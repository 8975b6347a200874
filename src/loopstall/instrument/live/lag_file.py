"""The lag of one loop over the last minute, in memory that its process writes and the command reads.

A program of which somebody wants to see the lag has a file in memory for each loop, and hands its descriptor over by a
line of JSON in a folder. The loop's thread enters spans of work there without a system call, and nobody waits for
anybody. This imports the standard library alone.
"""

import contextlib
from dataclasses import dataclass
import json
import mmap
import os
from pathlib import Path
import struct
from typing import Any

from loopstall.records.clock import NS_PER_S, by_second

__all__ = ["SECONDS", "LagFile", "LagFiles", "LoopLag"]

SECONDS = 60
"""The number of seconds that are shown."""

_NAME = "loopstall-lag"
_CELLS = 64
_RUNS, _LAST = 0, 1  # whether a loop is watched now; when its last span ended
_FIRST_CELL = 2
_WORDS = _FIRST_CELL + 2 * _CELLS
_LAYOUT = struct.Struct(f"={_WORDS}Q")
_MOST_FILES = 256  # whoever writes into the folder may be another user
_LONGEST_LINE = 4096


class LagFile:
    """The memory of one loop after another, on the side of the process that has them.

    Args:
        folder: in which it is announced.
        process: name and number of this process.

    Raises:
        OSError: the system has no such files, or no descriptor is free.
        AttributeError: it is no Linux.
    """

    def __init__(self, folder: str, process: str) -> None:
        self._fd = os.memfd_create(_NAME, os.MFD_CLOEXEC)
        self._path = f"{folder}/{os.getpid()}-{self._fd}.json"
        self._process = process
        self._thread: str | None = None
        self._longest_ns = self._from_ns = self._until_ns = 0  # of the second that was entered last
        try:
            os.ftruncate(self._fd, _LAYOUT.size)
            self._map = mmap.mmap(self._fd, _LAYOUT.size)
        except OSError:
            os.close(self._fd)
            raise
        self._words: Any = memoryview(self._map).cast("Q")

    def attached(self, thread: str) -> None:
        """Says that a loop is watched from now on, and in which thread."""
        if self._fd < 0:
            return
        if thread != self._thread:
            self._thread = thread
            said = {"pid": os.getpid(), "fd": self._fd, "process": self._process, "thread": thread}
            with contextlib.suppress(OSError):  # the watch is over
                Path(f"{self._path}.new").write_text(json.dumps(said), encoding="utf-8")
                Path(f"{self._path}.new").replace(self._path)
        self._words[_RUNS] = 1

    def detached(self) -> None:
        """Says that no loop is watched now."""
        if self._fd >= 0:
            self._words[_RUNS] = 0

    def add(self, start_ns: int, end_ns: int) -> None:
        """Enters a span of work, in the loop's thread; most are shorter than another one of the same second."""
        if end_ns - start_ns > self._longest_ns or start_ns < self._from_ns or end_ns >= self._until_ns:
            self._enter(start_ns, end_ns)

    def _enter(self, start_ns: int, end_ns: int) -> None:
        if self._fd < 0:
            return
        words = self._words
        words[_LAST] = end_ns
        for second, longest_ns in by_second(start_ns, end_ns, most=SECONDS):
            cell = _FIRST_CELL + second % _CELLS * 2
            if words[cell] != second:
                words[cell] = 0  # a reader takes nothing of a cell that changes meanwhile
                words[cell + 1] = longest_ns
                words[cell] = second
            elif words[cell + 1] < longest_ns:
                words[cell + 1] = longest_ns
            self._from_ns, self._until_ns = second * NS_PER_S, (second + 1) * NS_PER_S
            self._longest_ns = words[cell + 1]

    def close(self) -> None:
        """Closes the descriptor, without which nobody reads any more; the memory goes with the object.

        In a forked child that leaves the parent's alone.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """The lag of a loop as it was read.

    Args:
        pid: the number of its process.
        process: name and number of that.
        thread: the name of the loop's thread.
        runs: whether the loop runs now.
        last_ns: when its last span of work over 1 ms ended, on the clock of both processes.
        longest_ns: the longest that a callback due in a second waited at most, by the second; none where no span of
            work was over 1 ms.
    """

    pid: int
    process: str
    thread: str
    runs: bool
    last_ns: int
    longest_ns: dict[int, int]


class LagFiles:
    """The memories of all loops of a watch, on the side of the command.

    Args:
        folder: in which they are announced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}

    def read(self) -> list[LoopLag]:
        """Returns the lag of each loop whose process lives."""
        found: list[LoopLag] = []
        names = sorted(path.name for path in self._folder.glob("*.json"))[:_MOST_FILES]
        for name in {*self._open} - {*names}:
            os.close(self._open.pop(name))
        for name in names:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                found.append(self._read(name))
        return found

    def close(self) -> None:
        """Gives all descriptors back."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _read(self, name: str) -> LoopLag:
        path = self._folder / name
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            said = json.loads(os.read(handle, _LONGEST_LINE))
        finally:
            os.close(handle)
        pid, memory = int(said["pid"]), f"/proc/{said['pid']}/fd/{said['fd']}"
        there = os.stat(memory)  # noqa: PTH116  # no path of a file; gone where the process is, or watches no more
        known = self._open.get(name)
        if known is None or not os.path.samestat(os.fstat(known), there):
            if known is not None:
                os.close(self._open.pop(name))
            self._open[name] = _opened(memory)
        words = _read_words(self._open[name])
        return LoopLag(
            pid=pid,
            process=str(said["process"]),
            thread=str(said["thread"]),
            runs=bool(words[_RUNS]),
            last_ns=words[_LAST],
            longest_ns=dict(zip(words[_FIRST_CELL::2], words[_FIRST_CELL + 1 :: 2], strict=True)),
        )


def _opened(memory: str) -> int:
    """Opens the memory of another process.

    Raises:
        ValueError: its descriptor is that of something else.
    """
    if not os.readlink(memory).startswith(f"/memfd:{_NAME}"):  # noqa: PTH115  # no path of a file
        raise ValueError(memory)
    return os.open(memory, os.O_RDONLY | os.O_CLOEXEC)


def _read_words(fd: int) -> tuple[int, ...]:
    """Reads twice, and leaves out the cells that changed meanwhile."""
    first, then = (list(_LAYOUT.unpack(os.pread(fd, _LAYOUT.size, 0))) for _ in range(2))
    for cell in range(_FIRST_CELL, _WORDS, 2):
        if first[cell] != then[cell]:
            then[cell] = then[cell + 1] = 0
    return tuple(then)
