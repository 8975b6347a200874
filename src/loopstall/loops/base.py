"""The interface of a loop, and of its adapter while it runs."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio

__all__ = ["Loop", "LoopAdapter", "Start", "Timer"]

_T = TypeVar("_T")

Start = Callable[..., object]
"""Starts a task: ``start(function, *arguments)``."""


class Timer(Protocol):
    """A callback that is due."""

    def cancel(self) -> object:
        """Cancels the call."""


class LoopAdapter(Protocol):
    """The operations that the harness needs of a running loop."""

    watched: Any
    """The object that the monitor watches; None for the running loop of asyncio's kind."""

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        """Lets other tasks run for at least that long, or once for 0."""

    def group(self) -> AbstractAsyncContextManager[Start]:
        """Yields a function that starts tasks, and waits for all of them at its end."""

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls a function in the loop's thread after a time."""

    def readable(self, file: int, callback: Callable[[], object]) -> Timer | None:
        """Calls a function in the loop's thread whenever a file can be read; None where the loop reads no files."""

    def until_readable(self, file: int, /) -> Awaitable[None] | None:
        """Waits until a file can be read; returns None where the loop reads no files."""

    def in_thread(self, function: Callable[[], _T]) -> Awaitable[_T]:
        """Calls what waits in a thread that nobody else uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A way to drive coroutines; nothing is imported before a field is called.

    ``missing`` returns why this machine cannot offer the loop, or None; ``run`` drives a coroutine function to its end;
    ``adapter`` is called while it runs; ``version`` names the implementation for the record. ``make`` is a loop factory
    of asyncio's kind, None where there is none. ``on_request`` leaves it out of the default matrix.
    """

    name: str
    summary: str
    missing: Callable[[], str | None]
    run: Callable[[Callable[[], Awaitable[Any]]], Any]
    adapter: Callable[[], LoopAdapter]
    version: Callable[[], str]
    make: "Callable[[], asyncio.AbstractEventLoop] | None" = None
    on_request: bool = False
