"""Turns: a measuring process does its jobs in bursts, each when it is told to, so that two sides can alternate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
import os

from loopstall import protocol
from loopstall.records import Burst

__all__ = ["Turns"]


class Turns:
    """What the process is told to do, burst by burst; iterating waits without blocking the loop.

    Args:
        orders: file descriptor from which the numbers of jobs are read; closed at the end.
        tell: sends a line back.
    """

    def __init__(self, orders: int, tell: Callable[[bytes], object]) -> None:
        self._orders = orders
        self._tell = tell

    def answer(self, burst: Burst) -> None:
        """Tells what came of the last turn."""
        self._tell(protocol.burst_line(burst))

    async def __aiter__(self) -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        with os.fdopen(self._orders, "rb") as lines, ThreadPoolExecutor(1, "loopstall-turns") as reader:
            self._tell(protocol.READY)
            while jobs := int(await loop.run_in_executor(reader, lines.readline) or 0):
                yield jobs
