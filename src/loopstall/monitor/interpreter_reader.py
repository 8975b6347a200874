"""Interpreters of a process, read from its memory: their threads, who holds the GIL, whether garbage is collected.

Hands on ``InterpreterReader``. Where the threads stand is ``remote``'s matter. It imports little, as
``process_memory`` does.
"""

from collections.abc import Iterator

from loopstall.monitor.code_reader import TornError, read_word, word_in
from loopstall.monitor.layout import Layout
from loopstall.monitor.process_memory import Memory

__all__ = ["InterpreterReader"]

_MOST_INTERPRETERS = 1000
_MOST_THREADS = 10_000


class InterpreterReader:
    """Reads what the interpreters of a process have in common, and their lists of threads.

    Args:
        memory: of the process.
        layout: of its interpreter.
        runtime: the address of ``_PyRuntime``.
    """

    def __init__(self, memory: Memory, layout: Layout, runtime: int) -> None:
        self._memory = memory
        self._layout = layout
        self._runtime = runtime
        self._main = 0
        self._gil = 0

    def threads(self) -> Iterator[tuple[int, bytes]]:
        """Yields address and state of each thread of every interpreter.

        Raises:
            TornError: the list changes too fast.
        """
        seen = 0
        for interpreter in self._interpreters():
            thread = read_word(self._memory, interpreter + self._layout["interpreter.threads_head"])
            while thread and seen < _MOST_THREADS:
                state = self.state(thread)
                yield thread, state
                thread = word_in(state, self._layout["thread.next"])
                seen += 1

    def state(self, thread: int) -> bytes:
        """Returns the state of a thread as far as the layout tells it.

        Raises:
            TornError: it is not there.
        """
        state = self._memory.read(thread, self._layout.thread_bytes)
        if len(state) < self._layout.thread_bytes:
            raise TornError
        return state

    def gil(self) -> tuple[int, bool, int]:
        """Returns the address of the main interpreter's GIL, whether a thread holds it, and who has held it last.

        The last is the address of a thread's state, which may have ended where no thread holds the GIL. A thread that
        waits for it waits for an address between the GIL's and ``Layout.gil_bytes`` behind. Where a free-threaded build
        runs without a GIL nobody holds it.

        Raises:
            TornError: it is not there.
        """
        layout = self._layout
        if not self._gil:
            if "runtime.gil" in layout:
                self._gil = self._runtime + layout["runtime.gil"]
            else:
                self._gil = read_word(self._memory, self.main() + layout["interpreter.ceval_gil"])
        raw = self._memory.read(self._gil, layout.gil_bytes)
        if len(raw) < layout.gil_bytes:
            raise TornError
        locked = _int_in(raw, layout["gil.locked"]) == 1
        if layout.free_threaded and not _int_in(raw, layout["gil.enabled"]):
            locked = False
        return self._gil, locked, word_in(raw, layout["gil.holder"])

    def collects(self) -> bool:
        """Returns whether the main interpreter looks for garbage right now.

        Raises:
            TornError: it is not there.
        """
        layout = self._layout
        return read_word(self._memory, self.main() + layout["interpreter.gc"] + layout["gc.collecting"]) & _INT != 0

    def main(self) -> int:
        """Returns the address of the main interpreter, the last one of the list.

        Raises:
            TornError: there is none.
        """
        if not self._main:
            *_, self._main = self._interpreters()
        return self._main

    def _interpreters(self) -> Iterator[int]:
        interpreter = read_word(self._memory, self._runtime + self._layout["runtime.interpreters_head"])
        if not interpreter:
            raise TornError
        for _ in range(_MOST_INTERPRETERS):
            if not interpreter:
                break
            yield interpreter
            interpreter = read_word(self._memory, interpreter + self._layout["interpreter.next"])


_INT = 0xFFFFFFFF


def _int_in(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")
