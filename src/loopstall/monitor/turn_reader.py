"""The turns of a process' event loops, told apart from outside: whether a loop has gone on since it was looked at.

asyncio keeps in a local variable when the present turn began. Other loops run each callback in a context, and the
interpreter counts a thread's changes of context. Hands on ``TurnReader``.
"""

import struct

from loopstall.monitor.code_reader import TornError, read_word, word_in
from loopstall.monitor.process_memory import Memory
from loopstall.monitor.remote import RemoteReader

__all__ = ["Turn", "TurnReader"]

_FUNCTION, _VARIABLE = "BaseEventLoop._run_once", "end_time"
_TAGS = 7  # as in remote
_MOST_NAMES = 64
_CODES_KEPT = 4096
_NS = 1_000_000_000

Turn = tuple[int, int]
"""Since when the present turn has lasted, in ns of the system's monotonic clock, 0 where it is not known; and a number
that changes with every callback, 0 where there is none. Both 0 say nothing."""


class TurnReader:
    """Reads in which turn a loop is.

    Args:
        memory: of the process.
        reader: of its stacks.
    """

    def __init__(self, memory: Memory, reader: RemoteReader) -> None:
        self._memory = memory
        self._reader = reader
        self._variables: dict[int, int] = {}  # address of a code object: where the variable is in its frames

    def turn(self, thread_id: int) -> Turn:
        """Returns the present turn of the loop in a thread.

        Args:
            thread_id: its number in the system.
        """
        try:
            for frame, code in self._reader.links(thread_id):
                at = self._variable(code)
                if at:
                    return self._began_ns(frame + at), 0
            return 0, self._changes(thread_id)
        except TornError:
            return 0, 0

    def _began_ns(self, address: int) -> int:
        layout = self._reader.layout
        pointer = read_word(self._memory, address) & ~_TAGS
        raw = self._memory.read(pointer, layout["float.ob_fval"] + 8)
        if len(raw) < layout["float.ob_fval"] + 8:
            raise TornError
        seconds = struct.unpack_from("<d", raw, layout["float.ob_fval"])[0]
        return int(seconds * _NS) if 0 < seconds < 1 << 32 else 0

    def _variable(self, code: int) -> int:
        """Returns how far behind the beginning of a code object's frames the variable is, 0 where it has none."""
        known = self._variables.get(code)
        if known is None:
            if len(self._variables) >= _CODES_KEPT:
                self._variables.clear()
            known = self._variables[code] = self._find(code)
        return known

    def _find(self, code: int) -> int:
        layout, memory = self._reader.layout, self._memory
        head = memory.read(code, layout.code_bytes)
        if len(head) < layout.code_bytes:
            raise TornError
        if self._reader.codes.text(word_in(head, layout["code.qualname"])) != _FUNCTION:
            return 0
        names = read_word(memory, code + layout["code.localsplusnames"])
        count = read_word(memory, names + layout["tuple.ob_size"])
        for number in range(min(count, _MOST_NAMES)):
            name = read_word(memory, names + layout["tuple.ob_item"] + 8 * number)
            if self._reader.codes.text(name) == _VARIABLE:
                return layout["frame.localsplus"] + 8 * number
        return 0

    def _changes(self, thread_id: int) -> int:
        at = self._reader.layout["thread.context_ver"]
        return read_word(self._memory, self._reader.state(thread_id)[0] + at) if at else 0
