"""The numbers of a process' threads where it has numbers of its own, as in a container: the system's, and the process'.

Hands on ``ThreadNumbers``. Who needs which is no matter of this module. It imports little, as ``process_memory`` does.
"""

import os

__all__ = ["ThreadNumbers"]

_LINE = "NSpid:"
_STATUS_BYTES = 4096


class ThreadNumbers:
    """Tells the numbers of threads by one another.

    Args:
        pid: the number of the process, as this one sees it.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._inside: dict[int, int] = {}
        self._outside: dict[int, int] = {}
        self._same = self._number(pid) == pid

    def inside(self, thread_id: int) -> int:
        """Returns what the process itself calls a thread; 0 where there is none of this number."""
        if self._same:
            return thread_id
        if thread_id not in self._inside:
            self._read()
        return self._inside.get(thread_id, 0)

    def outside(self, thread_id: int) -> int:
        """Returns what this process calls a thread that the other one calls by a number; 0 where there is none."""
        if self._same:
            return thread_id
        if thread_id not in self._outside:
            self._read()
        return self._outside.get(thread_id, 0)

    def _read(self) -> None:
        try:
            names = os.listdir(f"/proc/{self._pid}/task")  # noqa: PTH208  # pathlib is slow
        except OSError:
            names = []
        self._inside = {int(name): self._number(int(name)) for name in names}
        self._outside = {inside: outside for outside, inside in self._inside.items()}

    def _number(self, thread_id: int) -> int:
        """Returns the innermost number of a thread, its own where the system tells none."""
        try:
            with open(f"/proc/{self._pid}/task/{thread_id}/status", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  # as above
                lines = file.read(_STATUS_BYTES).splitlines()
        except OSError:
            return thread_id
        numbers = next((line.split() for line in lines if line.startswith(_LINE)), [])
        return int(numbers[-1]) if len(numbers) > 1 else thread_id
