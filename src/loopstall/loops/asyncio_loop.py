"""The standard library's event loop."""

import platform
from typing import TYPE_CHECKING

from loopstall.loops.base import Loop, asyncio_face, asyncio_run

if TYPE_CHECKING:
    import asyncio

__all__ = ["LOOP"]


def _make() -> "asyncio.AbstractEventLoop":
    import asyncio  # noqa: PLC0415  # `loopstall --help` starts without it

    return asyncio.new_event_loop()


LOOP = Loop(
    name="asyncio",
    summary="the standard library's loop",
    missing=lambda: None,
    run=asyncio_run(_make),
    face=asyncio_face,
    make=_make,
    version=lambda: f"asyncio of Python {platform.python_version()}",
)
