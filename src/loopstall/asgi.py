"""ASGI middleware: stalls by route, and how long a request had to wait for the loop, for the browser to show.

Example:
    >>> from fastapi import FastAPI
    >>> from loopstall.asgi import StallMiddleware
    >>> app = FastAPI()
    >>> app.add_middleware(StallMiddleware, threshold=0.05)
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
import contextlib
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from loopstall.integrations.logs import StallLogger
from loopstall.monitor.core import Monitor
from loopstall.monitor.labels import following, labelled, route_of
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_MS, NS_PER_S, now_ns

__all__ = ["StallMiddleware"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Request:
    """A request that is being answered: its arrival, and the number and the length of stalls since."""

    began_ns: int = field(default_factory=now_ns)
    stalled_ns: int = 0
    stalls: int = 0

    def add(self, began_ns: int, ended_ns: int) -> None:
        within_ns = ended_ns - max(began_ns, self.began_ns)
        if within_ns > 0:
            self.stalled_ns += within_ns
            self.stalls += 1


@dataclass(slots=True)
class _Loop:
    """A loop that is watched while requests, or the application's lifespan, run on it."""

    monitor: Monitor
    ends: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    requests: set[_Request] = field(default_factory=set)
    users: int = 0


class StallMiddleware:
    """Watches the loop that an ASGI application runs on.

    Stalls carry the route in ``label``: ``GET /items/{id}`` where the framework gives it, as Starlette and FastAPI do,
    else the path. Responses get ``Server-Timing: loop-stall;dur=<ms>``, the time that the loop has stalled since the
    request came, whichever request blocked it.

    Args:
        app: the application.
        threshold: seconds from which on a span without progress is a stall.
        on_stall: called with every stall when it has ended, in the loop's thread; by default a ``StallLogger``,
            which logs a warning, 60 times a minute at most.
        server_timing: whether responses get the header.

    Raises:
        ValueError: the threshold is not positive.
    """

    def __init__(
        self,
        app: _App,
        threshold: float = 0.02,
        *,
        on_stall: Callable[[Stall], object] | None = None,
        server_timing: bool = True,
    ) -> None:
        if not threshold > 0:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        self._app = app
        self._threshold_ns = round(threshold * NS_PER_S)
        self._on_stall = on_stall or StallLogger()
        self._server_timing = server_timing
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answers a request, or serves the application's lifespan."""
        with self._watched() as watched:
            if scope["type"] not in {"http", "websocket"}:
                await self._app(scope, receive, send)
                return
            request = _Request()
            watched.requests.add(request)
            try:
                with labelled(lambda: route_of(scope)):
                    await self._app(scope, receive, self._timed(send, watched.monitor, request))
            finally:
                watched.requests.discard(request)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[_Loop]:
        """Watches the running loop until its last user leaves: the lifespan, where there is one."""
        loop = asyncio.get_running_loop()
        watched = self._loops.get(loop)
        if watched is None:
            monitor = Monitor(threshold_ns=self._threshold_ns, kept=1, on_stall=lambda stall: self._seen(found, stall))
            watched = found = self._loops[loop] = _Loop(monitor)
            monitor.start(loop)
            watched.ends.callback(monitor.stop)
            watched.ends.enter_context(following(loop))
        watched.users += 1
        try:
            yield watched
        finally:
            watched.users -= 1
            if not watched.users:
                watched.ends.close()
                self._loops.pop(loop, None)

    def _seen(self, watched: _Loop, stall: Stall) -> None:
        began_ns = watched.monitor.started_ns + stall.start_ns
        for request in watched.requests:
            request.add(began_ns, began_ns + stall.duration_ns)
        self._on_stall(stall)

    def _timed(self, send: _Send, monitor: Monitor, request: _Request) -> _Send:
        if not self._server_timing:
            return send

        async def timed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                now, since = now_ns(), monitor.busy_since_ns
                if since and now - since > self._threshold_ns:  # what it did itself, just now
                    request.add(since, now)
                words = f"{request.stalls} stall{'' if request.stalls == 1 else 's'}"
                entry = f'loop-stall;dur={request.stalled_ns / NS_PER_MS:.1f};desc="{words}"'
                message["headers"] = [*message.get("headers", ()), (b"server-timing", entry.encode())]
            await send(message)

        return timed
