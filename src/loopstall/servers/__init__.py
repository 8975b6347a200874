"""Servers under load: what light requests wait for while heavy ones are answered. Adding one is an entry here."""

from functools import partial

from loopstall.dispatch import celery_queue, processes, to_thread
from loopstall.loops import LOOPS
from loopstall.records.cells import INLINE
from loopstall.servers.base import Server, needs

__all__ = ["DEF", "SERVERS", "Server"]

DEF = "def"
"""The dispatch of a route that is a plain function, which Starlette runs in its own threads."""

_OFF_THE_LOOP = tuple(item.DISPATCH.name for item in (to_thread, processes, celery_queue))


def _own(kind: str, port: int) -> tuple[str, ...]:
    return ("-m", "loopstall.servers.socket_server", kind, str(port))


def _streams(loop: str, port: int) -> tuple[str, ...]:
    return ("-m", "loopstall.servers.streams_server", loop, str(port))


def _gunicorn(options: tuple[str, ...], port: int) -> tuple[str, ...]:
    return (
        "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket", *options,
        "loopstall.servers.flask_app:app",
    )  # fmt: skip


def _uvicorn(workers: int, port: int) -> tuple[str, ...]:
    return (
        "-m", "uvicorn", "--port", str(port), "--workers", str(workers), "--loop", "asyncio", "--log-level", "warning",
        "--no-access-log", "loopstall.servers.fastapi_app:app",
    )  # fmt: skip


def _unix_only() -> str | None:
    try:
        import fcntl  # noqa: F401  # gunicorn needs it
    except ImportError:
        return "gunicorn does not run here"
    return needs("gunicorn", "flask")()


SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server(
            name="socket",
            summary="a blocking socket server that answers one client at a time",
            missing=lambda: None,
            command=partial(_own, "one"),
        ),
        Server(
            name="socket-threads",
            summary="a blocking socket server with a thread for each client",
            missing=lambda: None,
            command=partial(_own, "threads"),
        ),
        Server(
            name="streams",
            summary="asyncio.start_server",
            missing=lambda: None,
            command=partial(_streams, "asyncio"),
            dispatches=(INLINE, *_OFF_THE_LOOP),
            loops=True,
        ),
        Server(
            name="streams-uvloop",
            summary="asyncio.start_server on uvloop",
            missing=LOOPS["uvloop"].missing,
            command=partial(_streams, "uvloop"),
            dispatches=(INLINE, *_OFF_THE_LOOP),
            loops=True,
        ),
        *(
            Server(
                name=f"gunicorn-{count}",
                summary=f"Flask under gunicorn with {count} sync worker{'s' if count > 1 else ''}",
                missing=_unix_only,
                command=partial(_gunicorn, ("--workers", str(count))),
                workers=count,
            )
            for count in (1, 2, 4)
        ),
        Server(
            name="gunicorn-gthread",
            summary="Flask under gunicorn with one worker of eight threads",
            missing=_unix_only,
            command=partial(_gunicorn, ("--workers", "1", "--worker-class", "gthread", "--threads", "8")),
        ),
        *(
            Server(
                name=f"uvicorn-{count}",
                summary=f"FastAPI under uvicorn with {count} worker{'s' if count > 1 else ''}",
                missing=needs("uvicorn", "fastapi"),
                command=partial(_uvicorn, count),
                dispatches=(INLINE, DEF, *_OFF_THE_LOOP),
                workers=count,
                loops=True,
            )
            for count in (1, 2)
        ),
    )
}
