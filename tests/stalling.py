"""Loops that run under the monitor, and the stalls that it then has."""

import asyncio

from loopstall.monitor import Monitor

MS = 1_000_000


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


def longest(monitor):
    return max(monitor.stall_log, key=lambda stall: stall.duration_ns)
