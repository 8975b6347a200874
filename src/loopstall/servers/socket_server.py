"""Blocking socket servers: ``python -m loopstall.servers.socket_server one|threads PORT``."""

from collections.abc import Callable
import contextlib
import socket
import sys
import threading
from typing import Any

from loopstall.servers import handshake

__all__ = ["ANSWER", "FAILED", "main"]

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\nConnection: close\r\n\r\nfailed"
_BACKLOG = 1024
_HEAD_BYTES = 4096


def main(kind: str, port: str) -> None:
    """Serves for ever.

    Args:
        kind: ``one`` client at a time, or ``threads``.
        port: where.
    """
    work = handshake.read().job()
    with socket.create_server(("127.0.0.1", int(port)), backlog=_BACKLOG) as listener:
        handshake.ready()
        while True:
            client, _ = listener.accept()
            if kind == "one":
                _serve(client, work)
            else:
                threading.Thread(target=_serve, args=(client, work), daemon=True).start()


def _serve(client: socket.socket, work: Callable[[int], Any]) -> None:
    with client, contextlib.suppress(OSError):  # a client may leave at any time
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(_HEAD_BYTES)
            if not more:
                return
            head += more
        client.sendall(_answer(head, work))


def _answer(head: bytes, work: Callable[[int], Any]) -> bytes:
    target = head.split(b" ", 2)[1].decode("ascii", "replace")
    if target.startswith("/heavy"):
        try:
            work(handshake.seed_of(target))
        except Exception as error:  # noqa: BLE001  # whatever a job raises is an answer
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return FAILED
    return ANSWER


if __name__ == "__main__":
    main(*sys.argv[1:])
