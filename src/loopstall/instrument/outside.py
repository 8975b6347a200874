"""The helper process of a watched program and all that it starts: it looks at their loops, and outlives them.

Hands on ``OutsideHelper``, which hears of stalls that go on, and of those in which a process has ended.
"""

import contextlib
import json
import os
from pathlib import Path
import socket
from typing import Self

from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.outside.link import VARIABLE
from loopstall.monitor.outside.messages import news_in
from loopstall.monitor.outside.news import told
from loopstall.monitor.outside.owned import OwnedHelper
from loopstall.records import StallEvent
from loopstall.records.units import format_ns

__all__ = ["OutsideHelper"]

_MESSAGE_BYTES, _MOST_FDS = 4096, 8
_COUNTED_BYTES = 64
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
        self.cpu_ns: int | None = None
        """The CPU time that the helper has taken; known when the program has ended, None where it had ended before."""
        self._news: socket.socket | None = None
        self._counted = -1  # the kernel's count of it
        try:
            helper = OwnedHelper(folder / "helper", hang_after_s=hang_after_s)
        except UnavailableError as error:
            self.faults.append(str(error))
            return
        self._news = socket.socket(fileno=helper.owner.detach())
        self.variables = {VARIABLE: helper.address}
        with contextlib.suppress(OSError):  # a kernel that does not count
            self._counted = os.open(f"/proc/{helper.pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._news is not None:
            self._news.close()
        if self._counted >= 0:
            os.close(self._counted)

    def cost(self, watched_ns: int) -> list[str]:
        """Returns a sentence on the CPU time that the helper has taken, with its start; none where it is not known."""
        if self.cpu_ns is None:
            return []
        share = self.cpu_ns / max(1, watched_ns)
        return [
            f"The helper process took {format_ns(self.cpu_ns)} of CPU time, its start included: {share:.1%} of a CPU."
        ]

    def take(self) -> list[tuple[StallEvent, bool]]:
        """Returns the stalls that were told of since the last time, and whether each goes on."""
        return self._received(wait=False)

    def last(self) -> list[tuple[StallEvent, bool]]:
        """Returns what is still to be told when the program has ended: the stalls that it ended in."""
        if self._news is None:
            return []
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has been killed
            self.cpu_ns = int(os.pread(self._counted, _COUNTED_BYTES, 0).split()[0])
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
