"""Blocking socket servers: ``python -m loopstall.servers.socket_server one|threads PORT``."""

from collections.abc import Callable
import contextlib
import socket
import sys
import threading
from typing import Any

from loopstall.servers import handshake
from loopstall.servers.answer import Answer

__all__ = ["main"]

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
        with Answer(head) as answer:
            if answer.seed is not None:
                work(answer.seed)
        client.sendall(answer.reply)


if __name__ == "__main__":
    main(*sys.argv[1:])
