"""Python's own objects in another process: names, numbers, dictionaries, as far as tasks need them.

Hands on ``ObjectReader``. Everything is bounded: what is longer, or of another type, is taken for torn.
"""

from collections.abc import Iterator

from loopstall.monitor.code_reader import TornError, read_word, word_in
from loopstall.monitor.process_memory import Memory
from loopstall.monitor.remote import RemoteReader

__all__ = ["ObjectReader"]

_TYPE_NAME_BYTES = 100
_KEYS_HEAD = 32  # bytes before the table of indices in a dictionary's keys
_GENERAL, _TEXTS = 0, 1  # kinds of keys
_MOST_ENTRIES = 20_000
_BITS = 30  # of a digit of a number
_TURN = "BaseEventLoop._run_once"


class ObjectReader:
    """Reads objects of a process.

    Args:
        memory: of the process.
        reader: of its stacks.
    """

    def __init__(self, memory: Memory, reader: RemoteReader) -> None:
        self._memory = memory
        self._reader = reader
        self._current_tasks = 0

    def type_name(self, address: int) -> str:
        """Returns the name of an object's type.

        Raises:
            TornError: there is none.
        """
        layout = self._reader.layout
        kind = read_word(self._memory, address + layout["object.ob_type"])
        letters = self._memory.read(read_word(self._memory, kind + layout["type.tp_name"]), _TYPE_NAME_BYTES)
        name, end, _ = letters.partition(b"\0")
        if not end:
            raise TornError
        return name.decode("utf-8", "replace")

    def name(self, address: int) -> str:
        """Returns the name of a task: a text, or a number that stands for "Task-" and itself.

        Raises:
            TornError: it is neither.
        """
        if self.type_name(address) != "int":
            return self._reader.codes.text(address)
        at = self._reader.layout["long.ob_digit"]
        low, high = (self._memory.read(address + at + 4 * number, 4) for number in range(2))
        count = read_word(self._memory, address + at - 8) >> 3
        number = int.from_bytes(low, "little") + (int.from_bytes(high, "little") << _BITS if count > 1 else 0)
        return f"Task-{number}"

    def current_task(self, thread_id: int) -> int:
        """Returns the address of the task that a thread's loop runs, 0 for none: before Python 3.14.

        Raises:
            TornError: what leads there cannot be read.
        """
        layout = self._reader.layout
        if layout.free_threaded or "module.dict" not in layout:
            return 0
        if not self._current_tasks:
            self._current_tasks = self._find_current_tasks()
        running = dict(self._items(self._current_tasks)) if self._current_tasks else {}
        if len(running) == 1:
            return next(iter(running.values()))
        return running.get(self._loop(thread_id), 0)

    def _loop(self, thread_id: int) -> int:
        """Returns the address of the loop that runs in a thread, the first variable of its turn's function."""
        layout = self._reader.layout
        for frame, code in self._reader.links(thread_id):
            if self._reader.codes.text(read_word(self._memory, code + layout["code.qualname"])) == _TURN:
                return read_word(self._memory, frame + layout["frame.localsplus"])
        return 0

    def _find_current_tasks(self) -> int:
        """Returns the address of asyncio's dictionary of running tasks, 0 where asyncio is not imported."""
        layout = self._reader.layout
        modules = read_word(self._memory, self._reader.interpreters.main() + layout["interpreter.imports_modules"])
        module = self._value(modules, "_asyncio")
        if not module:
            return 0
        return self._value(read_word(self._memory, module + layout["module.dict"]), "_current_tasks")

    def _value(self, dictionary: int, wanted: str) -> int:
        for key, value in self._items(dictionary):
            try:
                if self._reader.codes.text(key) == wanted:
                    return value
            except TornError:  # a key of another type
                continue
        return 0

    def _items(self, dictionary: int) -> Iterator[tuple[int, int]]:
        """Yields the addresses of keys and values of a dictionary."""
        keys = read_word(self._memory, dictionary + self._reader.layout["dict.ma_keys"])
        head = self._memory.read(keys, _KEYS_HEAD)
        if len(head) < _KEYS_HEAD or head[9] > _BITS or head[10] not in {_GENERAL, _TEXTS}:
            raise TornError
        count = word_in(head, 24)
        width, first = (24, 8) if head[10] == _GENERAL else (16, 0)
        if count > _MOST_ENTRIES:
            raise TornError
        raw = self._memory.read(keys + _KEYS_HEAD + (1 << head[9]), width * count)
        for number in range(len(raw) // width):
            key, value = (word_in(raw, width * number + first + at) for at in (0, 8))
            if value:
                yield key, value
