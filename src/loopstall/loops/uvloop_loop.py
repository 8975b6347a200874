"""uvloop: libuv's event loop, an extra that may be missing."""

from collections.abc import Awaitable, Callable
import importlib.util
from typing import TYPE_CHECKING, Any

from loopstall.loops.base import Face, Loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["LOOP"]


def _missing() -> str | None:
    if importlib.util.find_spec("uvloop") is None:
        return "uvloop is not installed (pip install 'loopstall[uvloop]')"
    return None


def _make() -> "asyncio.AbstractEventLoop":
    import uvloop  # noqa: PLC0415  # an extra

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _version() -> str:
    import uvloop  # noqa: PLC0415  # an extra

    return f"uvloop {uvloop.__version__}"


def _run(main: Callable[[], Awaitable[Any]]) -> Any:
    from loopstall.loops.face import run_with  # noqa: PLC0415  # it imports asyncio

    return run_with(_make)(main)


def _face() -> Face:
    from loopstall.loops.face import AsyncioFace  # noqa: PLC0415  # it imports asyncio

    return AsyncioFace()


LOOP = Loop(
    name="uvloop",
    summary="libuv's loop",
    missing=_missing,
    run=_run,
    face=_face,
    make=_make,
    version=_version,
)
