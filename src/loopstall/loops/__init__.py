"""The loops: who drives coroutines. Adding one is one file and one line here."""

from loopstall.loops import asyncio_loop, curio_loop, trio_loop, uvloop_loop
from loopstall.loops.base import Loop, LoopAdapter

__all__ = ["LOOPS", "Loop", "LoopAdapter"]

LOOPS: dict[str, Loop] = {
    loop.name: loop for loop in (asyncio_loop.LOOP, uvloop_loop.LOOP, trio_loop.LOOP, curio_loop.LOOP)
}
