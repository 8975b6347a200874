"""The frame of a coroutine: part of it in memory, so that its address tells which coroutine somebody else has met."""

import ctypes
from functools import cache
from typing import Any

__all__ = ["frame_of"]


def frame_of(coroutine: object) -> int:
    """Returns the address of the frame of a coroutine of Python's own."""
    return id(coroutine) + _offset()


@cache
def _offset() -> int:
    """Returns how far into a coroutine its frame begins: told by the frame object that Python makes of one."""

    async def some() -> None:
        """Never runs."""

    coroutine: Any = some()
    frame = coroutine.cr_frame
    pointer = ctypes.c_void_p.from_address(id(frame) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)).value or 0
    del frame
    offset = pointer - id(coroutine)
    coroutine.close()
    return offset
