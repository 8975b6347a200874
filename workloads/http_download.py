"""Many small downloads, one after the other and several at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
import contextlib
from contextlib import asynccontextmanager, contextmanager
import importlib
import subprocess
import sys
from typing import Any
import urllib.request

from loopstall import workload

_FILES = 24  # a job
_BYTES = 2_000
_SERVER = """
import asyncio, sys

async def answer(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            await asyncio.sleep(float(sys.argv[1]))
            size = int(sys.argv[2])
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + head[5:6] * size)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@workload(
    params=[
        {"how": ["sequential"], "limit": [1], "client": ["httpx", "aiohttp"], "wait": [0.004]},
        {"how": ["gather"], "limit": [1, 10, 100], "client": ["httpx", "aiohttp"], "wait": [0.004]},
        {"how": ["task_group", "as_completed"], "limit": [10], "client": ["aiohttp"], "wait": [0.004]},
    ],
    on_request=True,
)
def http_download(seed: int, *, how: str, limit: int, client: str, wait: float, port: int) -> int:  # noqa: ARG001
    """24 small files from a server that takes its time, by a synchronous client.

    Stands for a crawler, a handler that asks several services, a client of an API with one call an item. The thread
    waits for the network nearly all of the time. `sequential` asks for one after the other, the others have `limit`
    requests under way in a pool of threads; the async twin, with httpx or aiohttp, has them under way behind an
    `asyncio.Semaphore`. A right answer is all bytes of all files.
    """
    urls = [_url(port, seed, number) for number in range(_FILES)]
    if how == "sequential":
        return sum(map(_fetch, urls))
    with ThreadPoolExecutor(min(limit, _FILES)) as pool:
        if how == "as_completed":
            return sum(done.result() for done in as_completed([pool.submit(_fetch, url) for url in urls]))
        return sum(pool.map(_fetch, urls))


def _url(port: int, seed: int, number: int) -> str:
    return f"http://127.0.0.1:{port}/{(seed + number) % 10}"


def _fetch(url: str) -> int:
    with urllib.request.urlopen(url) as response:  # noqa: S310  # our own server's
        return len(response.read())


@http_download.native(requires=["httpx", "aiohttp"])
async def _(seed: int, *, how: str, limit: int, client: str, wait: float, port: int) -> int:  # noqa: ARG001
    urls = [_url(port, seed, number) for number in range(_FILES)]
    async with _CLIENTS[client](limit) as fetch:
        if how == "sequential":
            return sum([await fetch(url) for url in urls])
        turn = asyncio.Semaphore(limit)

        async def one(url: str) -> int:
            async with turn:
                size: int = await fetch(url)
                return size

        if how == "gather":
            return sum(await asyncio.gather(*map(one, urls)))
        if how == "as_completed":
            return sum([await done for done in asyncio.as_completed([one(url) for url in urls])])
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(url)) for url in urls]
        return sum(task.result() for task in tasks)


@asynccontextmanager
async def _httpx(limit: int) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    import httpx  # noqa: PLC0415  # it may be missing

    limits = httpx.Limits(max_connections=limit)
    # Without verify=False each client loads all certificates on the loop, for some 30 ms: a trap of its own.
    async with httpx.AsyncClient(limits=limits, trust_env=False, verify=False) as session:  # noqa: S501

        async def fetch(url: str) -> int:
            return len((await session.get(url)).content)

        yield fetch


@asynccontextmanager
async def _aiohttp(limit: int) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    import aiohttp  # noqa: PLC0415  # it may be missing

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:

        async def fetch(url: str) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        yield fetch


_MODULES = {"httpx": ("httpx", "httpcore", "anyio._backends._asyncio"), "aiohttp": ("aiohttp",)}
_CLIENTS: dict[str, Any] = {"httpx": _httpx, "aiohttp": _aiohttp}


@http_download.context
@contextmanager
def _(seed: int, *, how: str, limit: int, client: str, wait: float) -> Iterator[dict[str, int]]:  # noqa: ARG001
    for module in _MODULES[client]:  # now rather than in the first job
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    server = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SERVER, str(wait), str(_BYTES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None  # noqa: S101
        yield {"port": int(server.stdout.readline())}
    finally:
        server.kill()
        server.communicate()


@http_download.verify
def _(result: object, seed: int, **_: object) -> bool:  # noqa: ARG001
    return result == _FILES * _BYTES
