"""Sockets that lie in a folder, however long its path: the system takes 107 bytes of it.

Hands on ``listening`` and ``connected``.
"""

import _socket
from collections.abc import Iterator
import contextlib
import os
from pathlib import Path

__all__ = ["connected", "listening"]

_MOST_BYTES = 107  # sockaddr_un.sun_path, less the zero at its end: unix(7)
_WAITING = 128


def listening(path: Path) -> _socket.socket:
    """Returns a socket that keeps messages apart, to which this user alone can connect.

    Args:
        path: where it lies.

    Raises:
        OSError: it cannot.
    """
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        with _short(path) as address:
            listener.bind(address)
            os.chmod(address, 0o600)  # noqa: PTH101  # a socket
        listener.listen(_WAITING)
    except BaseException:
        listener.close()
        raise
    return listener


def connected(path: str) -> _socket.socket:
    """Returns a connection to such a socket.

    Raises:
        OSError: nobody listens there.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        with _short(Path(path)) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Gives a path of the same file that is short enough: through its folder, which is open for so long."""
    if len(os.fsencode(path)) <= _MOST_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
