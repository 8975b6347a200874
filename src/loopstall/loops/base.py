"""What a loop is to the rest of the suite."""

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
        """Has it not called."""


class LoopAdapter(Protocol):
    """What the suite asks of a loop while it runs."""

    watched: Any
    """What the monitor is given; None for the running loop of asyncio's kind."""

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        """Lets others run for at least that long, or once for 0."""

    def group(self) -> AbstractAsyncContextManager[Start]:
        """Gives what starts tasks, and waits for all of them at its end."""

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Has a function called in the loop's thread after a time."""

    def readable(self, file: int, callback: Callable[[], object]) -> Timer | None:
        """Has a function called in the loop's thread whenever a file can be read; None where the loop reads none."""

    def until_readable(self, file: int, /) -> Awaitable[None] | None:
        """Waits until a file can be read; None where the loop reads none."""

    def in_thread(self, function: Callable[[], _T]) -> Awaitable[_T]:
        """Calls what waits in a thread that nobody else uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One way to drive coroutines; nothing is imported before a field is called.

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
