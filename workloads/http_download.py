"""Many small downloads, one after the other and several at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
import contextlib
from contextlib import asynccontextmanager, contextmanager
import importlib.util
from pathlib import Path
import subprocess
import sys
from typing import Any
import urllib.request

from loopstall import workload

_FILES = 24  # a job
_BYTES = 2_000
_BACKLOG = 4096  # connections that the server holds until it accepts them
_MOST_PORTS = 64
_SERVER = """
import asyncio, sys

wait, size, ports, backlog = float(sys.argv[1]), *map(int, sys.argv[2:])

async def answer(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            await asyncio.sleep(wait)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + head[5:6] * size)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        pass
    writer.close()

async def main():
    servers = [await asyncio.start_server(answer, "127.0.0.1", 0, backlog=backlog) for _ in range(ports)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@workload(
    params=[
        {"how": ["sequential"], "limit": [1], "client": ["urllib", "httpx", "aiohttp"], "wait": [0.004]},
        {"how": ["gather"], "limit": [1, 10, 100], "client": ["urllib", "httpx", "aiohttp"], "wait": [0.004]},
        {"how": ["as_completed"], "limit": [10], "client": ["httpx", "aiohttp"], "wait": [0.004]},
        {"how": ["task_group"], "limit": [10], "client": ["aiohttp"], "wait": [0.004]},
    ],
    on_request=True,
)
def http_download(seed: int, *, how: str, limit: int, client: str, wait: float, ports: list[int]) -> int:  # noqa: ARG001  # the server waits
    """24 small files from a server that takes its time, by one of three clients.

    Stands for a crawler, a handler that asks several services, a client of an API with one call an item. Whoever asks
    waits for the network nearly all of the time. `sequential` asks for one after the other, the others have up to
    `limit` requests under way at once: in a pool of threads, and in the async version behind an `asyncio.Semaphore`.
    urllib has a synchronous side only, aiohttp an asynchronous one, httpx both; what a client has not is n/a. Each job
    opens a client of its own, and a pool of threads; urllib opens a connection for each file. A right answer is all
    bytes of all files.
    """
    urls = [_url(ports, seed, number) for number in range(_FILES)]
    with _SYNCHRONOUS[client](limit) as fetch:
        if how == "sequential":
            return sum(map(fetch, urls))
        with ThreadPoolExecutor(min(limit, _FILES)) as pool:
            if how == "as_completed":
                return sum(done.result() for done in as_completed([pool.submit(fetch, url) for url in urls]))
            return sum(pool.map(fetch, urls))


def _url(ports: list[int], seed: int, number: int) -> str:
    return f"http://127.0.0.1:{ports[number % len(ports)]}/{(seed + number) % 10}"


@contextmanager
def _urllib(limit: int) -> Iterator[Callable[[str], int]]:  # noqa: ARG001  # the pool's width is its limit
    opener = urllib.request.OpenerDirector()  # build_opener would load certificates, and read the proxies' settings
    for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPErrorProcessor()):
        opener.add_handler(handler)

    def fetch(url: str) -> int:
        with opener.open(url) as response:
            return len(response.read())

    yield fetch


@contextmanager
def _httpx_synchronous(limit: int) -> Iterator[Callable[[str], int]]:
    import httpx  # it may be missing

    # Without verify=False each client loads all certificates, for some 30 ms: a trap of its own.
    with httpx.Client(limits=httpx.Limits(max_connections=limit), trust_env=False, verify=False) as session:  # noqa: S501
        yield lambda url: len(session.get(url).content)


@http_download.async_version()
async def _(seed: int, *, how: str, limit: int, client: str, wait: float, ports: list[int]) -> int:  # noqa: ARG001
    urls = [_url(ports, seed, number) for number in range(_FILES)]
    async with _ASYNCHRONOUS[client](limit) as fetch:
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
    import httpx  # it may be missing

    limits = httpx.Limits(max_connections=limit)
    # Without verify=False each client loads all certificates on the loop, for some 30 ms: a trap of its own.
    async with httpx.AsyncClient(limits=limits, trust_env=False, verify=False) as session:  # noqa: S501

        async def fetch(url: str) -> int:
            return len((await session.get(url)).content)

        yield fetch


@asynccontextmanager
async def _aiohttp(limit: int) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    import aiohttp  # it may be missing

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:

        async def fetch(url: str) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        yield fetch


_SYNCHRONOUS: dict[str, Any] = {"urllib": _urllib, "httpx": _httpx_synchronous}
_ASYNCHRONOUS: dict[str, Any] = {"httpx": _httpx, "aiohttp": _aiohttp}


@http_download.missing
def _(dispatch: str, *, how: str, client: str, **_: object) -> str | None:
    if dispatch == "async" and client not in _ASYNCHRONOUS:
        return f"{client} has no asynchronous side"
    if dispatch != "async" and client not in _SYNCHRONOUS:
        return f"{client} has no synchronous side"
    if dispatch != "async" and how == "task_group":
        return "a TaskGroup is asyncio's; with threads this would be gather over again"
    if importlib.util.find_spec(client) is None:
        return f"{client} is not installed (pip install {client})"
    return None


@http_download.context
@contextmanager
def _(seed: int, *, wait: float, **_: object) -> Iterator[dict[str, list[int]]]:  # noqa: ARG001
    held = _held_by_kernel()
    ports = min(_MOST_PORTS, -(-_BACKLOG // held))
    server = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SERVER, *map(str, (wait, _BYTES, ports, min(held, _BACKLOG)))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield {"ports": [int(port) for port in server.stdout.readline().split()]}
    finally:
        server.kill()
        server.communicate()


def _held_by_kernel() -> int:
    """Returns how many connections a socket can hold at most until they are accepted.

    One more that comes is not refused: its client asks again after a second, which would be what is measured. So the
    server listens on as many ports as it takes.
    """
    with contextlib.suppress(OSError, ValueError):
        return max(1, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    return 128


@http_download.verify
def _(result: object, seed: int, **_: object) -> bool:  # noqa: ARG001
    return result == _FILES * _BYTES
