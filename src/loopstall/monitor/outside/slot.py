"""The memory that a loop's thread and the helper share: since when the loop is late, and what was seen meanwhile.

One file in memory for each loop that is watched at a time. Each side writes words of its own and reads the other's, so
that neither ever waits for the other.
"""

from collections import namedtuple
import marshal
import mmap
import os

TYPE_CHECKING = False  # as in ``loopstall``
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Seen", "Slot", "Stack"]

_WORDS = 16
_NOTE_AT, _NOTE_BYTES = 8 * _WORDS, 512
_SAMPLES_AT = _NOTE_AT + _NOTE_BYTES
_BYTES = 1024 * 1024  # the looks at one stall of deep stacks; memory that nobody writes to takes no room
_SINCE, _THRESHOLD, _HANG = 0, 1, 3  # written by the program, in s
_THREAD = 2  # as well
_COUNT, _USED = 8, 9  # written by the helper
NEVER = float("inf")


Stack = tuple[tuple[str, str, int], ...]
"""File, function and line of each frame, innermost first."""


class Seen(namedtuple("Seen", "at_ns stack state stepped holder_id holder coroutine frame")):  # noqa: PYI024  # as said
    """A thread as a look has seen it, as plain data; ``typing`` has such classes that cost the helper a megabyte.

    ``at_ns`` is when; ``state`` is the system call that the thread waited in, or a word of ``syscalls``; ``stepped``
    says whether it took steps of Python code while it was looked at. Where it waited for the GIL, ``holder_id`` and
    ``holder`` are number and stack of the thread that had it. ``coroutine`` and ``frame`` are name and address of the
    outermost coroutine, "" and 0 where there is none.
    """

    __slots__ = ()


class Slot:
    """A loop's part of the memory, seen from either side.

    Args:
        fd: the file, which is closed as soon as nobody else is to be given it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, _BYTES)  # which has a descriptor of its own
        self._view = memoryview(self._map)
        self.seconds: Any = self._view[:_NOTE_AT].cast("d")
        """``seconds[0]`` is since when the loop is late, or will be if it does not move; infinity while it may wait."""
        self._words: Any = self._view[:_NOTE_AT].cast("Q")

    @classmethod
    def make(cls) -> "Slot":
        """Makes one.

        Raises:
            OSError: the system has no such files, or no descriptor is free.
        """
        fd = os.memfd_create("loopstall", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, _BYTES)
            made = cls(fd)
        except OSError:
            os.close(fd)
            raise
        made.seconds[_SINCE] = NEVER
        return made

    def close(self) -> None:
        """Gives memory and descriptor back."""
        self.keep()
        for view in (self.seconds, self._words, self._view):
            view.release()
        self._map.close()

    def keep(self) -> None:
        """Closes the descriptor: nobody else is to be given it any more."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def attach(self, thread_id: int, threshold_s: float, hang_after_s: float = 0.0) -> None:
        """Names the thread that is to be looked at; the program's side.

        Args:
            thread_id: its number in the system.
            threshold_s: the length from which on a span is a stall.
            hang_after_s: how long one is told of while it lasts; 0 for what the helper was started with.
        """
        self.seconds[_SINCE] = NEVER
        self.seconds[_THRESHOLD] = threshold_s
        self.seconds[_HANG] = hang_after_s
        self._words[_THREAD] = thread_id

    def detach(self) -> None:
        """Names no thread any more; the program's side."""
        self.seconds[_SINCE] = NEVER
        self._words[_THREAD] = 0

    @property
    def since_s(self) -> float:
        """Since when the loop is late."""
        return float(self.seconds[_SINCE])

    @property
    def threshold_s(self) -> float:
        """The length from which on a span is a stall."""
        return float(self.seconds[_THRESHOLD])

    @property
    def hang_after_s(self) -> float:
        """The length from which on a stall is reported while it lasts; 0 for what the helper was started with."""
        return float(self.seconds[_HANG])

    @property
    def note(self) -> str:
        """The program's word on what it is doing, for people: the test that runs."""
        return bytes(self._view[_NOTE_AT:_SAMPLES_AT]).partition(b"\0")[0].decode(errors="replace")

    @note.setter
    def note(self, text: str) -> None:
        self._view[_NOTE_AT:_SAMPLES_AT] = text.encode(errors="replace")[: _NOTE_BYTES - 1].ljust(_NOTE_BYTES, b"\0")

    @property
    def thread_id(self) -> int:
        """The number of the loop's thread in the system, 0 for none."""
        return int(self._words[_THREAD])

    def clear(self) -> None:
        """Forgets what was seen; the helper's side."""
        self._words[_COUNT] = self._words[_USED] = 0

    def add(self, seen: Seen) -> bool:
        """Adds what was seen; the helper's side. False where there is no more room."""
        data = marshal.dumps(tuple(seen))
        begin = _SAMPLES_AT + self._words[_USED]
        end = begin + 8 + len(data)
        if end > _BYTES:
            return False
        self._view[begin : begin + 8] = len(data).to_bytes(8, "little")
        self._view[begin + 8 : end] = data
        self._words[_USED] = end - _SAMPLES_AT
        self._words[_COUNT] += 1  # last: what the other side counts is whole
        return True

    def seen(self) -> list[Seen]:
        """Returns what was seen, as far as it is whole; the program's side, which may read while the other writes."""
        found: dict[int, Seen] = {}
        at = _SAMPLES_AT
        for _ in range(self._words[_COUNT]):
            size = int.from_bytes(self._view[at : at + 8], "little")
            if not 0 < size <= _BYTES - at - 8:
                break
            try:
                one = Seen(*marshal.loads(self._view[at + 8 : at + 8 + size]))  # noqa: S302  # our own helper wrote it
            except (ValueError, EOFError, TypeError):
                break
            found[one.at_ns] = one  # a look is handed over again when more is known of it
            at += 8 + size
        return list(found.values())
