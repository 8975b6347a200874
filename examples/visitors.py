"""Visitors of the examples: a server for an ASGI application, and requests to it over plain sockets."""

import asyncio
import sys
from typing import Any

PORT = 8000


async def ask(port: int, path: str, body: bytes = b"") -> int:
    """Sends a request, a POST where it has a body, and returns the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(maxsplit=2)[1])


async def visit(port: int, *requests: tuple[str, bytes]) -> None:
    """Has three visitors make these requests at the same time, and prints the statuses of the answers."""
    for path, body in requests:
        statuses = await asyncio.gather(*(ask(port, path, body) for _ in range(3)))
        print(path, *statuses, flush=True)


async def _serve(server: Any, requests: tuple[tuple[str, bytes], ...]) -> None:
    serving = asyncio.create_task(server.serve())
    if "--serve" not in sys.argv:
        while not server.started:
            await asyncio.sleep(0.01)
        await visit(server.servers[0].sockets[0].getsockname()[1], *requests)
        server.should_exit = True
    await serving


def serve(app: Any, *requests: tuple[str, bytes]) -> None:
    """Serves an application with uvicorn: to visitors who make these requests, or with --serve until Ctrl-C."""
    import uvicorn

    port = PORT if "--serve" in sys.argv else 0  # any that is free
    config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off")
    config.load()
    asyncio.run(_serve(uvicorn.Server(config), requests))
