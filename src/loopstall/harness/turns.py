"""Turns: a measuring process does its jobs in bursts, each on request, so that two sides can alternate."""

from collections.abc import AsyncIterator, Callable
import os

from loopstall.loops import LoopAdapter
from loopstall.records import Burst
from loopstall.runner import protocol

__all__ = ["Turns"]


class Turns:
    """The bursts that the runner asks the process for.

    Args:
        orders: file descriptor from which the numbers of jobs are read; closed at the end.
        tell: sends a line back.
    """

    def __init__(self, orders: int, tell: Callable[[bytes], object]) -> None:
        self._orders = orders
        self._tell = tell

    def answer(self, burst: Burst) -> None:
        """Sends the result of the last turn."""
        self._tell(protocol.burst_line(burst))

    async def taken(self, adapter: LoopAdapter) -> AsyncIterator[int]:
        """Yields the number of jobs of each turn when it comes."""
        with os.fdopen(self._orders, "rb") as lines:
            self._tell(protocol.READY)
            while jobs := int(await adapter.in_thread(lines.readline) or 0):
                yield jobs
