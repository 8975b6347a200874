"""The layout of CPython's structures in memory: the table of offsets for debuggers (``_Py_DebugOffsets``).

Hands on ``DebugOffsets``, read once from this process' memory and checked as far as it can be without following a
pointer. It knows nothing of threads, stacks and code; what is found at an offset is the reader's matter.
"""

import ctypes
import struct
import sys

from loopstall.monitor.kernel import OwnMemory

__all__ = ["ASCII_BIT", "WIDTH_BITS", "DebugOffsets", "UnknownLayoutError"]

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
}  # fmt: skip
"""The differences of later versions."""

_SAMPLES = tuple(chr(letter) * 2 for letter in (0x61, 0xE9, 0x151, 0x1F40D))
"""Texts that nobody shares: ASCII, and of one, two and four bytes a letter."""
WIDTH_BITS, ASCII_BIT = 0b10111, 0b10000
"""Of the state of a text, from ``DebugOffsets.width_at`` on: how wide a letter is, and whether it is ASCII."""
_WIDTHS = [0b10001, 0b00001, 0b00010, 0b00100]
"""The fields of a string's state from some bit on: the bytes a letter, an unused bit, and whether it is ASCII."""


class UnknownLayoutError(Exception):
    """This interpreter keeps things in another way than its table says, or has no table."""


class DebugOffsets:
    """Offsets of fields, as the interpreter publishes them for debuggers: ``offsets["frame.previous"]`` is one.

    Args:
        memory: this process'.

    Raises:
        UnknownLayoutError: the interpreter does not tell, or tells otherwise.
    """

    def __init__(self, memory: OwnMemory) -> None:
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        groups = _GROUPS | (_SINCE_3_14 if sys.version_info >= (3, 14) else {})
        groups |= _SINCE_3_15 if sys.version_info >= (3, 15) else {}
        names = [f"{group}.{name}" for group, fields in groups.items() for name in fields]
        table = memory.read(runtime, 24 + 8 * len(names))
        if len(table) < 24 + 8 * len(names) or not table.startswith(_COOKIE):
            raise UnknownLayoutError
        self._offsets = dict(zip(names, struct.unpack_from(f"={len(names)}Q", table, 24), strict=True))
        self.frame_bytes = self._behind("frame", "previous", "executable", "instr_ptr", "owner", "tlbc_index")
        self.code_bytes = self._behind("code", "filename", "qualname", "linetable", "firstlineno", "co_tlbc")
        states = [int.from_bytes(memory.read(id(text) + self["unicode.state"], 4), sys.byteorder) for text in _SAMPLES]
        self.width_at = next((at for at in range(28) if [state >> at & WIDTH_BITS for state in states] == _WIDTHS), -1)
        if self.width_at < 0:
            raise UnknownLayoutError

    def __getitem__(self, name: str) -> int:
        return int(self._offsets.get(name, 0))

    def _behind(self, group: str, *names: str) -> int:
        return 8 + max(self[f"{group}.{name}"] for name in names)
