"""Offsets of fields in CPython 3.11 and 3.12, which do not tell them; by the names that later versions tell them by.

They are the same on all 64-bit little-endian machines. tests/monitor/offsets.c prints them from CPython's headers.
``UNTOLD`` has what only readers of event loops need.
"""

__all__ = ["OFFSETS", "UNTOLD"]

_COMMON = {
    "runtime.interpreters_head": 40,
    "interpreter.next": 0,
    "gil.locked": 16,
    "gil.holder": 8,
    "gc.collecting": 200,
    "thread.next": 8,
    "thread.interp": 16,
    "thread.cframe": 56,
    "code.filename": 112,
    "code.qualname": 128,
    "code.linetable": 136,
    "object.size": 16,
    "object.ob_type": 8,
    "type.tp_name": 24,
    "bytes.ob_size": 16,
    "bytes.ob_sval": 32,
    "unicode.state": 32,
    "unicode.length": 16,
}
OFFSETS: dict[tuple[int, int], dict[str, int]] = {
    (3, 11): _COMMON
    | {
        "runtime.gil": 360,
        "interpreter.threads_head": 16,
        "interpreter.gc": 648,
        "cframe.current_frame": 8,
        "thread.native_thread_id": 160,
        "thread.datastack_chunk": 296,
        "frame.previous": 48,
        "frame.executable": 32,
        "frame.instr_ptr": 56,
        "frame.owner": 69,
        "code.firstlineno": 72,
        "code.co_code_adaptive": 184,
        "unicode.asciiobject_size": 48,
    },
    (3, 12): _COMMON
    | {
        "interpreter.ceval_gil": 384,
        "interpreter.threads_head": 72,
        "interpreter.gc": 112,
        "cframe.current_frame": 0,
        "thread.native_thread_id": 144,
        "thread.datastack_chunk": 232,
        "frame.previous": 8,
        "frame.executable": 0,
        "frame.instr_ptr": 56,
        "frame.owner": 70,
        "code.firstlineno": 68,
        "code.co_code_adaptive": 192,
        "unicode.asciiobject_size": 40,
    },
}
"""By version."""

_OF_OBJECTS = {
    "code.localsplusnames": 96,
    "tuple.ob_size": 16,
    "tuple.ob_item": 24,
    "float.ob_fval": 16,
    "long.ob_digit": 24,
    "frame.localsplus": 72,
    "dict.ma_keys": 32,
    "module.dict": 16,
}
UNTOLD: dict[tuple[int, int], dict[str, int]] = {
    (3, 11): _OF_OBJECTS | {"thread.context_ver": 232, "interpreter.imports_modules": 888, "task.name": 144},
    (3, 12): _OF_OBJECTS | {"thread.context_ver": 216, "interpreter.imports_modules": 944, "task.name": 144},
    (3, 13): {"thread.context_ver": 216, "module.dict": 16, "task.name": 128},
    (3, 14): {"thread.context_ver": 216},
    (3, 15): {"thread.context_ver": 240},
}
"""By version, of builds with a GIL; from 3.14 on a table of asyncio's own tells where a task's name is."""
