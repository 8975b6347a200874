"""Loops that run under the monitor, and the stalls that it then has."""

import asyncio

from loopstall.monitor import Monitor

MS = 1_000_000
_TRIES = 8


def watched(body, new_loop=asyncio.new_event_loop, **settings):
    """The monitor of a loop that ran ``body``, after it has been stopped."""

    async def main():
        monitor = Monitor(**settings)
        monitor.start()
        await body()
        monitor.stop()
        return monitor

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


def looked_at(body, new_loop=asyncio.new_event_loop):
    """The longest stall of a run in which somebody came to look: a machine that is busy may keep them from it."""
    for _ in range(_TRIES):
        stall = longest(watched(body, new_loop))
        if stall.culprit is not None:
            break
    return stall


def longest(monitor):
    return max(monitor.stall_log, key=lambda stall: stall.duration_ns)
