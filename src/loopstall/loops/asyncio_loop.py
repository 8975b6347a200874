"""The standard library's event loop."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from loopstall.loops.base import LoopAdapter

if TYPE_CHECKING:
    import asyncio

import platform
from typing import TYPE_CHECKING

from loopstall.loops.base import Loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["LOOP", "asyncio_adapter", "asyncio_run"]


def asyncio_run(make: "Callable[[], asyncio.AbstractEventLoop]") -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Returns what drives a coroutine function to its end on a loop of a factory."""

    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        import asyncio  # `loopstall --help` starts without it

        async def awaited() -> Any:
            return await main()

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(awaited())

    return run


def asyncio_adapter() -> LoopAdapter:
    """Returns the adapter of the running loop of asyncio's kind."""
    from loopstall.loops.asyncio_adapter import AsyncioAdapter  # it imports asyncio

    return AsyncioAdapter()


def _make() -> "asyncio.AbstractEventLoop":
    import asyncio  # `loopstall --help` starts without it

    return asyncio.new_event_loop()


LOOP = Loop(
    name="asyncio",
    summary="the standard library's loop",
    missing=lambda: None,
    run=asyncio_run(_make),
    adapter=asyncio_adapter,
    make=_make,
    version=lambda: f"asyncio of Python {platform.python_version()}",
)
