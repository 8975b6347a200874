"""The answer to a request, for servers that speak HTTP by themselves."""

import sys
from types import TracebackType
from typing import Self

from loopstall.servers.handshake import seed_of

__all__ = ["Answer"]

_DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\nConnection: close\r\n\r\nfailed"


class Answer:
    """The answer to a request, whose job is done within it: ``with Answer(head) as answer``.

    ``path`` is the request's. ``reply`` is what to send: that it is done, or that the job has failed, which stderr is
    told of.

    Args:
        head: the request up to the empty line.
    """

    def __init__(self, head: bytes) -> None:
        self._target = head.split(b" ", 2)[1].decode("ascii", "replace")
        self.path = self._target.partition("?")[0]
        self.reply = _DONE

    @property
    def seed(self) -> int | None:
        """Returns the seed of the heavy route's job, None for the light route.

        Raises:
            ValueError: the request names none.
        """
        return seed_of(self._target) if self.path == "/heavy" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        self.reply = _FAILED
        return True
