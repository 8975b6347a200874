"""The standard library's event loop."""

from collections.abc import Awaitable, Callable
import platform
from typing import TYPE_CHECKING, Any

from loopstall.loops.base import Face, Loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["LOOP"]


def _make() -> "asyncio.AbstractEventLoop":
    import asyncio  # noqa: PLC0415  # `loopstall --help` starts without it

    return asyncio.new_event_loop()


def _run(main: Callable[[], Awaitable[Any]]) -> Any:
    from loopstall.loops.face import run_with  # noqa: PLC0415  # it imports asyncio

    return run_with(_make)(main)


def _face() -> Face:
    from loopstall.loops.face import AsyncioFace  # noqa: PLC0415  # it imports asyncio

    return AsyncioFace()


LOOP = Loop(
    name="asyncio",
    summary="the standard library's loop",
    missing=lambda: None,
    run=_run,
    face=_face,
    make=_make,
    version=lambda: f"asyncio of Python {platform.python_version()}",
)
