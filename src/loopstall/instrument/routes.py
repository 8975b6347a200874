"""Names the route of each stall in a program that is watched, where its framework is known, without a change to it.

Every process of a watched program imports this module: it imports nothing before a framework has come.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FRAMEWORKS"]


def _starlette(module: Any) -> None:
    """Labels what Starlette and FastAPI answer."""
    import asyncio  # noqa: F401  # its arrival imports modules of ours, and has to come before the next line

    from loopstall.monitor.labels import labelled, route_of

    answer = module.Starlette.__call__

    @wraps(answer)
    async def answered(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await answer(self, scope, receive, send)
            return
        with labelled(lambda: route_of(scope)):
            await answer(self, scope, receive, send)

    module.Starlette.__call__ = answered


def _aiohttp(module: Any) -> None:
    """Labels what a server of aiohttp answers."""
    import asyncio  # noqa: F401  # its arrival imports modules of ours, and has to come before the next line

    from loopstall.monitor.labels import labelled

    answer = module.Application._handle  # noqa: SLF001  # each request goes through it, and nothing public sees them all

    def route(request: Any) -> str:
        found = getattr(request, "_match_info", None)  # none yet while it is looked for
        resource = getattr(getattr(found, "route", None), "resource", None)
        return f"{request.method} {resource.canonical if resource is not None else request.path}"

    @wraps(answer)
    async def answered(self: Any, request: Any) -> Any:
        with labelled(lambda: route(request)):
            return await answer(self, request)

    module.Application._handle = answered  # noqa: SLF001


def _harmless(name: "Callable[[Any], object]") -> "Callable[[Any], object]":
    """Leaves a framework without its routes that is otherwise than known, instead of failing the program's import."""

    def named(module: Any) -> None:
        try:
            name(module)
        except (AttributeError, ImportError):
            return

    return named


FRAMEWORKS: "dict[str, Callable[[Any], object]]" = {
    "starlette.applications": _harmless(_starlette), "aiohttp.web_app": _harmless(_aiohttp),
}  # fmt: skip
"""The things to do with a module of a framework when it has come, by its name."""
