"""What a loop is to the rest of the suite."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Loop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One way to drive coroutines; nothing is imported before a field is called.

    ``missing`` returns why this machine cannot offer the loop, or None; ``make`` is a loop factory;
    ``version`` names the implementation for the record.
    """

    name: str
    summary: str
    missing: Callable[[], str | None]
    make: "Callable[[], asyncio.AbstractEventLoop]"
    version: Callable[[], str]
