"""uvloop: libuv's event loop, an extra that may be missing."""

from typing import TYPE_CHECKING

from loopstall.errors import not_installed
from loopstall.loops.asyncio_loop import asyncio_adapter, asyncio_run
from loopstall.loops.base import Loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["LOOP"]


def _missing() -> str | None:
    return not_installed("uvloop", "'loopstall[uvloop]'")


def _make() -> "asyncio.AbstractEventLoop":
    import uvloop  # an extra

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _version() -> str:
    import uvloop  # an extra

    return f"uvloop {uvloop.__version__}"


LOOP = Loop(
    name="uvloop",
    summary="libuv's loop",
    missing=_missing,
    run=asyncio_run(_make),
    adapter=asyncio_adapter,
    make=_make,
    version=_version,
)
