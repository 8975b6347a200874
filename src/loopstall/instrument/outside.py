"""The helper process of a watched program and all that it starts: it looks at their loops, and outlives them.

Hands on ``OutsideHelper``, which hears of stalls that go on, and of those in which a process has ended.
"""

import contextlib
import json
from pathlib import Path
import socket
from typing import Self

from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.outside.link import VARIABLE
from loopstall.monitor.outside.messages import news_in
from loopstall.monitor.outside.news import told
from loopstall.monitor.outside.owned import OwnedHelper
from loopstall.records import StallEvent

__all__ = ["OutsideHelper"]

_MESSAGE_BYTES, _MOST_FDS = 4096, 8
_PATIENCE_S = 2.0  # with a helper that has to report how the last process has ended


class OutsideHelper:
    """A helper for the processes of one program.

    Args:
        folder: a private one, in which they find it.
        hang_after_s: how long a stall is told of while it lasts, and then each time that it has doubled; 0 for never.
    """

    def __init__(self, folder: Path, *, hang_after_s: float) -> None:
        self.variables: dict[str, str] = {}
        """Of the environment of the program: how it finds the helper. Empty where there is none."""
        self.faults: list[str] = []
        """Sentences that say why there is none; empty where there is one."""
        self._news: socket.socket | None = None
        try:
            helper = OwnedHelper(folder / "helper", hang_after_s=hang_after_s)
        except UnavailableError as error:
            self.faults.append(str(error))
            return
        self._news = socket.socket(fileno=helper.owner.detach())
        self.variables = {VARIABLE: helper.address}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._news is not None:
            self._news.close()

    def take(self) -> list[tuple[StallEvent, bool]]:
        """Returns the stalls that were told of since the last time, and whether each goes on."""
        return self._received(wait=False)

    def last(self) -> list[tuple[StallEvent, bool]]:
        """Returns what is still to be told when the program has ended: the stalls that it ended in."""
        if self._news is None:
            return []
        with contextlib.suppress(OSError):
            self._news.shutdown(socket.SHUT_WR)
        return self._received(wait=True)

    def _received(self, *, wait: bool) -> list[tuple[StallEvent, bool]]:
        found: list[tuple[StallEvent, bool]] = []
        if self._news is None:
            return found
        self._news.settimeout(_PATIENCE_S if wait else 0)
        with contextlib.suppress(OSError):  # nothing more, or nobody
            while True:
                data, fds, _, _ = socket.recv_fds(self._news, _MESSAGE_BYTES, _MOST_FDS, socket.MSG_CMSG_CLOEXEC)
                if not data:
                    break
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    found.append(told(json.loads(news_in(fds))))
        return found
