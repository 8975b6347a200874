"""The layout of CPython's structures in memory: where the fields are that tell where its threads stand.

Since 3.13 the interpreter tells it, in a table of offsets for debuggers at the beginning of ``_PyRuntime``
(``_Py_DebugOffsets``); for 3.11 and 3.12 ``layout_tables`` does. Hands on ``Layout``, checked as far as it can be
without following a pointer, and ``Fields``, which reads several numbers at once. It knows nothing of threads, stacks
and code; what is found at an offset is the reader's matter. Offsets are those of 64-bit little-endian machines.
"""

from collections.abc import Callable
from operator import itemgetter
import struct
import sys

from loopstall.monitor.layout_tables import OFFSETS, UNTOLD

__all__ = ["ASCII_BIT", "WIDTH_BITS", "Fields", "Layout", "UnknownLayoutError", "told_version"]

_COOKIE = b"xdebugpy"
_GROUPS: dict[str, tuple[str, ...]] = {
    "runtime": ("size", "finalizing", "interpreters_head"),
    "interpreter": (
        "size", "id", "next", "threads_head", "gc", "imports_modules", "sysdict", "builtins", "ceval_gil",
        "gil", "gil_enabled", "gil_locked", "gil_holder",
    ),
    "thread": (
        "size", "prev", "next", "interp", "current_frame", "thread_id", "native_thread_id", "datastack_chunk", "status",
    ),
    "exception": (),
    "frame": ("size", "previous", "executable", "instr_ptr", "localsplus", "owner"),
    "code": (
        "size", "filename", "name", "qualname", "linetable", "firstlineno", "argcount", "localsplusnames",
        "localspluskinds", "co_code_adaptive",
    ),
    "object": ("size", "ob_type"),
    "type": ("size", "tp_name", "tp_repr", "tp_flags"),
    "heap_type": (),
    "tuple": ("size", "ob_item", "ob_size"),
    "list": ("size", "ob_item", "ob_size"),
    "set": (),
    "dict": ("size", "ma_keys", "ma_values"),
    "float": ("size", "ob_fval"),
    "long": ("size", "lv_tag", "ob_digit"),
    "bytes": ("size", "ob_size", "ob_sval"),
    "unicode": ("size", "state", "length", "asciiobject_size"),
    "gc": ("size", "collecting"),
}  # fmt: skip
"""The entries of Python 3.13's table after the cookie, its version and a flag: a number of 8 bytes each."""

_SINCE_3_14: dict[str, tuple[str, ...]] = {
    "interpreter": (
        "size", "id", "next", "threads_head", "threads_main", "gc", "imports_modules", "sysdict", "builtins",
        "ceval_gil", "gil", "gil_enabled", "gil_locked", "gil_holder", "code_object_generation", "tlbc_generation",
    ),
    "frame": (*_GROUPS["frame"], "stackpointer", "tlbc_index"),
    "code": (*_GROUPS["code"], "co_tlbc"),
    "set": ("size", "used", "table", "mask"),
    "generator": ("size", "name", "frame", "frame_state"),
    "list_node": ("next", "prev"),
}  # fmt: skip
_SINCE_3_15: dict[str, tuple[str, ...]] = {
    "thread": (
        "size", "prev", "next", "interp", "current_frame", "base_frame", "last_profiled_frame", "last_profiled_seq",
        "thread_id", "native_thread_id", "datastack_chunk", "status", "holds_gil", "gil_requested",
        "current_exception", "exc_state",
    ),
    "exception": ("exc_value",),
    "type": (*_GROUPS["type"], "tp_basicsize", "tp_dictoffset"),
    "heap_type": ("size", "ht_cached_keys"),
    "unicode": (*_GROUPS["unicode"], "compactobject_size"),
    "gc": (*_GROUPS["gc"], "frame", "generation_stats_size", "generation_stats"),
}  # fmt: skip
"""The differences of later versions."""

WIDTH_BITS, ASCII_BIT = 0b10111, 0b10000
"""Of the state of a text, from ``Layout.width_at`` on: how wide a letter is, and whether it is ASCII."""
_HEAD = 24
_LARGEST = 1 << 16
_WORD = 8
_GIL_BYTES = 208
_OLDEST, _NEWEST = (3, 13), (3, 15)
_OF_THREAD = ("next", "interp", "current_frame", "cframe", "native_thread_id", "datastack_chunk")


class UnknownLayoutError(Exception):
    """This interpreter keeps things in another way than its table says, or has no table."""


class Fields:
    """Reads numbers that lie near each other, all by one call, in the order in which they are named.

    Args:
        fields: offset of each, and its code in ``struct``.

    Raises:
        UnknownLayoutError: two of them lie upon each other.
    """

    def __init__(self, *fields: tuple[int, str]) -> None:
        ordered = sorted(fields)
        form, end = "<", 0
        for offset, code in ordered:
            if offset < end:
                raise UnknownLayoutError
            form += f"{offset - end}x{code}"
            end = offset + struct.calcsize(f"<{code}")
        self._read = struct.Struct(form).unpack_from
        self._chosen = itemgetter(*(ordered.index(field) for field in fields))

    def __call__(self, raw: bytes, at: int = 0) -> tuple[int, ...]:
        """Returns the numbers of what begins ``at`` so many bytes."""
        chosen: tuple[int, ...] = self._chosen(self._read(raw, at))
        return chosen


class Layout:
    """Offsets of fields by their names in the table of 3.13: ``layout["frame.previous"]`` is one.

    Two are of older versions alone: ``thread.cframe`` points at what has ``cframe.current_frame``, and ``runtime.gil``
    is the GIL itself. There ``frame.instr_ptr`` is the unit of bytecode before the next instruction. In the GIL are
    ``gil.locked``, ``gil.holder`` and, on free-threaded builds, ``gil.enabled``.

    Args:
        read: returns bytes of the memory of the process that has the interpreter, or fewer.
        runtime: the address of ``_PyRuntime``.
        version: of the interpreter.
        free_threaded: whether its build can do without a GIL.

    Raises:
        UnknownLayoutError: the interpreter does not tell, or tells otherwise.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], runtime: int, version: tuple[int, int], *, free_threaded: bool
    ) -> None:
        if sys.byteorder != "little" or sys.maxsize < 1 << 32:
            raise UnknownLayoutError
        self.version = version
        self.free_threaded = free_threaded
        self._offsets = OFFSETS.get(version) or _table(read, runtime, version, free_threaded=free_threaded)
        self._offsets = self._offsets | ({} if free_threaded else UNTOLD.get(version, {}))
        self.has_cframe = "thread.cframe" in self._offsets
        self.frame_bytes = self._behind("frame", "previous", "executable", "instr_ptr", "owner", "tlbc_index")
        self.code_bytes = self._behind("code", "filename", "qualname", "linetable", "firstlineno", "co_tlbc")
        self.thread_bytes = self._behind("thread", *_OF_THREAD)
        if max(self.frame_bytes, self.code_bytes, self.thread_bytes) > _LARGEST:
            raise UnknownLayoutError
        self.gil_bytes = _GIL_BYTES + (_WORD if free_threaded else 0)
        self.width_at = 8 if free_threaded and version >= (3, 14) else 2
        self.compact_bytes = 24 if version < (3, 12) else 16
        """Between the head and the letters of a text that is not ASCII."""

    def __contains__(self, name: str) -> bool:
        return name in self._offsets

    def __getitem__(self, name: str) -> int:
        return self._offsets.get(name, 0)

    def _behind(self, group: str, *names: str) -> int:
        return _WORD + max(self[f"{group}.{name}"] for name in names)


def told_version(read: Callable[[int, int], bytes], runtime: int) -> tuple[tuple[int, int], bool] | None:
    """Returns the version that a table tells, and whether it is of a free-threaded build; None where there is none."""
    head = read(runtime, _HEAD)
    if len(head) < _HEAD or not head.startswith(_COOKIE):
        return None
    version, free_threaded = struct.unpack_from("=QQ", head, len(_COOKIE))
    return (version >> 24 & 0xFF, version >> 16 & 0xFF), bool(free_threaded)


def _table(
    read: Callable[[int, int], bytes], runtime: int, version: tuple[int, int], *, free_threaded: bool
) -> dict[str, int]:
    """Reads the table of an interpreter."""
    if told_version(read, runtime) != (version, free_threaded) or not _OLDEST <= version <= _NEWEST:
        raise UnknownLayoutError
    groups = _GROUPS | (_SINCE_3_14 if version >= (3, 14) else {}) | (_SINCE_3_15 if version >= (3, 15) else {})
    names = [f"{group}.{name}" for group, fields in groups.items() for name in fields]
    table = read(runtime + _HEAD, _WORD * len(names))
    if len(table) < _WORD * len(names):
        raise UnknownLayoutError
    offsets = dict(zip(names, struct.unpack(f"={len(names)}Q", table), strict=True))
    for name in ("locked", "holder"):  # told as offsets in an interpreter that has a GIL of its own, which most share
        offsets[f"gil.{name}"] = offsets[f"interpreter.gil_{name}"] - offsets["interpreter.gil"]
    offsets["gil.enabled"] = offsets["interpreter.gil_enabled"]
    return offsets
