"""The tasks of asyncio in another process: their names, and what each awaits, read from its memory.

From Python 3.14 on asyncio tells in a table where it keeps them, and each thread has a list of its tasks. Before, only
the task that runs can be found, by way of a dictionary of asyncio's. Hands on ``TaskReader`` and ``SeenTask``. Whatever
does not fit together is left out.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import struct

from loopstall.monitor.code_reader import SeenCode, TornError, read_word, word_in
from loopstall.monitor.object_reader import ObjectReader
from loopstall.monitor.process_memory import Memory
from loopstall.monitor.remote import RemoteReader

__all__ = ["SeenTask", "TaskReader"]

_FIELDS = (
    "task.size", "task.name", "task.awaited_by", "task.is_task", "task.awaited_by_is_set", "task.coroutine",
    "task.node", "interpreter.size", "interpreter.tasks", "thread.size", "thread.running_loop", "thread.running_task",
    "thread.tasks",
)  # fmt: skip
"""The entries of asyncio's table: a number of 8 bytes each."""

_TAGS = 7  # as in remote
_MOST_TASKS = 10_000
_DEEPEST = 64  # coroutines that await one another
_MOST_OFFSET = 1 << 20
_ADDRESSES = 1 << 47
_AWAITING = {False: ((255,), 8), True: ((2, 3), 16)}
"""By whether it is 3.15 or later: the states of a coroutine that awaits something, and how far below the top of its
stack that lies, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTask:
    """A task: its name, where its coroutines stand, innermost first, and what the innermost one awaits.

    ``address`` is that of the object. A task that runs has no stack of its own: its thread has.
    """

    name: str
    coroutine: str
    stack: tuple[tuple[SeenCode, int], ...]
    awaits: str
    address: int


class TaskReader:
    """Reads the tasks of a process.

    Args:
        memory: of the process.
        reader: of its stacks.
        table: the address of asyncio's table, 0 where it has none.
    """

    def __init__(self, memory: Memory, reader: RemoteReader, table: int) -> None:
        self._memory = memory
        self._reader = reader
        self._objects = ObjectReader(memory, reader)
        self._offsets = _read_table(memory, table) if table else {}

    @property
    def lists_tasks(self) -> bool:
        """True where all tasks can be found, and not only the one that runs."""
        return bool(self._offsets)

    def running(self, thread_id: int) -> int:
        """Returns the address of the task that a thread's loop runs, 0 where none is found."""
        try:
            if not self._offsets:
                return self._objects.current_task(thread_id)
            state, _ = self._reader.state(thread_id)
            return read_word(self._memory, state + self._offsets["thread.running_task"])
        except TornError:
            return 0

    def name(self, task: int) -> str:
        """Returns the name of a task, "" where it cannot be read."""
        at = self._offsets.get("task.name") or self._reader.layout["task.name"]
        try:
            return self._objects.name(read_word(self._memory, task + at)) if task and at else ""
        except TornError:
            return ""

    def tasks(self, thread_id: int) -> Iterator[SeenTask]:
        """Yields the tasks of the loops that have run in a thread, as far as they can be found."""
        if not self._offsets:
            return
        try:
            state, _ = self._reader.state(thread_id)
            head = state + self._offsets["thread.tasks"]
            node = read_word(self._memory, head)
            for _ in range(_MOST_TASKS):
                if node == head or not 0 < node < _ADDRESSES:
                    return
                following = read_word(self._memory, node)
                task = node - self._offsets["task.node"]
                with contextlib.suppress(TornError):
                    yield self._seen(task)
                node = following
        except TornError:
            return

    def _seen(self, task: int) -> SeenTask:
        coroutine = read_word(self._memory, task + self._offsets["task.coroutine"])
        stack: list[tuple[SeenCode, int]] = []
        kind = read_word(self._memory, coroutine + self._reader.layout["object.ob_type"])
        awaited = coroutine
        while len(stack) < _DEEPEST and awaited:
            if read_word(self._memory, awaited + self._reader.layout["object.ob_type"]) != kind:
                break
            place, awaited = self._suspended(awaited)
            stack.append(place)
        name = stack[0][0].co_qualname if stack else ""
        awaits = self._described(awaited) if awaited else ""
        return SeenTask(name=self.name(task), coroutine=name, stack=tuple(reversed(stack)), awaits=awaits, address=task)

    def _suspended(self, coroutine: int) -> tuple[tuple[SeenCode, int], int]:
        """Returns where a coroutine stands, and what it awaits, 0 where it awaits nothing."""
        layout, codes = self._reader.layout, self._reader.codes
        frame = coroutine + layout["generator.frame"]
        raw = self._memory.read(frame, layout.frame_bytes)
        if len(raw) < layout.frame_bytes:
            raise TornError
        code = word_in(raw, layout["frame.executable"]) & ~_TAGS
        heads, _ = codes.learn([code])
        if code not in heads:
            raise TornError
        at = layout["frame.tlbc_index"]
        copy = word_in(raw, at) & 0xFFFFFFFF if at else 0
        place = codes.line(code, heads[code], word_in(raw, layout["frame.instr_ptr"]), copy)
        state = self._memory.read(coroutine + layout["generator.frame_state"], 1)
        states, back = _AWAITING[layout.version >= (3, 15)]
        if not state or state[0] not in states:
            return place, 0
        top = read_word(self._memory, frame + layout["frame.stackpointer"])
        return place, read_word(self._memory, top - back) & ~_TAGS

    def _described(self, awaited: int) -> str:
        """Returns what an awaited object is: the name of its type, and of a task its own."""
        kind = self._objects.type_name(awaited)
        if kind.endswith("FutureIter"):  # what a future hands out to who awaits it
            awaited = read_word(self._memory, awaited + self._reader.layout["object.size"])
            kind = self._objects.type_name(awaited)
        if kind.endswith("Task"):
            return f"task {self.name(awaited)}".rstrip()
        return kind.rpartition(".")[2]


def _read_table(memory: Memory, address: int) -> dict[str, int]:
    """Reads asyncio's table; {} where it cannot be one."""
    raw = memory.read(address, 8 * len(_FIELDS))
    if len(raw) < 8 * len(_FIELDS):
        return {}
    offsets = dict(zip(_FIELDS, struct.unpack(f"={len(_FIELDS)}Q", raw), strict=True))
    return offsets if max(offsets.values()) < _MOST_OFFSET else {}
