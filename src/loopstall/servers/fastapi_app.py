"""A FastAPI application with a light and a heavy route, for uvicorn."""

from collections.abc import AsyncIterator
import contextlib

from fastapi import FastAPI

from loopstall.asgi import StallMiddleware
from loopstall.dispatch import Call
from loopstall.records.clock import NS_PER_S
from loopstall.servers import DEF, handshake
from loopstall.servers.heavy_route import opened

__all__ = ["app"]

_order = handshake.read()
_call: Call


@contextlib.asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    global _call  # there is one application a process
    if _order.dispatch == DEF:
        handshake.ready()
        yield
        return
    async with opened(_order) as _call:
        handshake.ready()
        yield


app = FastAPI(lifespan=_lifespan)
app.add_middleware(
    StallMiddleware,
    threshold=_order.threshold_ns / NS_PER_S,
    on_stall=handshake.StallWriter().tell,
    server_timing=False,
)


@app.get("/light")
async def light() -> str:
    """Answers at once."""
    return "done"


if _order.dispatch == DEF:
    _work = _order.job()

    @app.get("/heavy")
    def in_a_thread(seed: int) -> str:
        """Does a job in one of Starlette's threads."""
        _work(seed)
        return "done"

else:

    @app.get("/heavy")
    async def on_the_loop(seed: int) -> str:
        """Does a job by the order's dispatch."""
        await _call(seed)
        return "done"
