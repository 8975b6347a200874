"""``asyncio.start_server`` on a loop of one's choice: ``python -m loopstall.servers.streams_server LOOP PORT``."""

import asyncio
import contextlib
import signal
import sys

from loopstall.loops import LOOPS
from loopstall.monitor import Monitor
from loopstall.monitor.labels import following, labelled
from loopstall.servers import handshake
from loopstall.servers.answer import Answer
from loopstall.servers.handshake import StallWriter
from loopstall.servers.heavy_route import opened

__all__ = ["main"]

_BACKLOG = 1024


def main(loop_name: str, port: str) -> None:
    """Serves until SIGTERM.

    Args:
        loop_name: the name of the loop.
        port: where.
    """
    with asyncio.Runner(loop_factory=LOOPS[loop_name].make) as runner:
        runner.run(_serve(int(port)))


async def _serve(port: int) -> None:
    told = handshake.read()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    monitor = Monitor(threshold_ns=told.threshold_ns, kept=1, on_stall=StallWriter().tell)
    async with opened(told) as call:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # a client may leave at any time
                head = await reader.readuntil(b"\r\n\r\n")
                answer = Answer(head)
                with labelled(lambda: f"GET {answer.path}"), answer:
                    if answer.seed is not None:
                        await call(answer.seed)
                writer.write(answer.reply)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=_BACKLOG)
        with following(loop):
            monitor.start(loop)
            handshake.ready()
            await ended.wait()
            monitor.stop()
        server.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
