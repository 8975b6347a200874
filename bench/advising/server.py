"""A server with a light and a heavy route, the heavy one run one way: ``server.py WAY MODULE FUNCTION ARGUMENTS``."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
import contextlib
from functools import partial
import importlib
import multiprocessing
import os
import sys


async def main(way: str, module_name: str, name: str, giver: str) -> None:
    """Serves until its input ends."""
    module = importlib.import_module(module_name)
    function = getattr(module, name)
    arguments = getattr(module, giver)() if giver else ()
    cores = os.cpu_count() or 1
    loop = asyncio.get_running_loop()
    pool = None
    if way == "processes":
        pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
        await asyncio.gather(*(loop.run_in_executor(pool, abs, 0) for _ in range(cores)))
        calls = (loop.run_in_executor(pool, function, *arguments) for _ in range(2 * cores))
        await asyncio.gather(*calls, return_exceptions=True)  # a result that cannot be sent: every request will say so

    async def heavy() -> object:
        if way == "inline":
            return function(*arguments)
        if way == "to_thread":
            return await asyncio.to_thread(function, *arguments)
        return await loop.run_in_executor(pool, partial(function, *arguments))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                if line == b"heavy\n":
                    await heavy()
                writer.write(b"done\n")
            except Exception as error:  # noqa: BLE001  # whatever it raises is an answer
                writer.write(f"failed: {error!r}"[:200].replace("\n", " ").encode() + b"\n")
            await writer.drain()
        writer.close()

    await heavy_once(heavy)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    if pool is not None:
        pool.shutdown(cancel_futures=True)
    os._exit(0)


async def heavy_once(heavy: Callable[[], Awaitable[object]]) -> None:
    """Has the first call, which may be a slow one, over before a client comes."""
    with contextlib.suppress(Exception):  # a result that cannot be sent: every request will say so
        await heavy()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
