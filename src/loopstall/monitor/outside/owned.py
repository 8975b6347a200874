"""A helper process for many: it looks at the loops of all processes that find it by a variable of their environment.

Hands on ``OwnedHelper``, for the command or the session that owns it.
"""

import _socket
from collections.abc import Sequence
import contextlib
from pathlib import Path
import sys

from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.outside.address import listening
from loopstall.monitor.outside.start import start_helper

__all__ = ["OwnedHelper"]


class OwnedHelper:
    """A helper that lives until its owner and the last process that it looks at have ended.

    Args:
        path: where its socket lies, in a private folder.
        hang_after_s: how long a stall lasts until it is told, and then each time that it has doubled; 0 for never.
        prints: descriptor for what ``command`` prints, -1 for none.
        command: of a program that prints such stalls; () where the owner hears of them.

    Raises:
        UnavailableError: there can be none, and why: each process then looks for itself, and nobody reports a stall
            while it lasts.
    """

    def __init__(self, path: Path, *, hang_after_s: float, prints: int = -1, command: Sequence[str] = ()) -> None:
        if sys.platform != "linux":
            raise UnavailableError(_fault(f"{sys.platform} shows no process the memory of another one"))
        with contextlib.ExitStack() as undo:
            try:
                self.owner, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
                undo.callback(self.owner.close)
                with contextlib.closing(theirs), contextlib.closing(listening(path)) as listener:
                    pid = start_helper(
                        listens=listener.fileno(),
                        owner=theirs.fileno(),
                        prints=prints,
                        hang_after_s=hang_after_s,
                        command=command,
                    )
            except OSError as error:
                raise UnavailableError(_fault(error.strerror or str(error))) from error
            undo.pop_all()
        self.pid = pid
        self.address = f"{pid} {path}"
        """Its number and its socket: the value of the variable by which processes find it."""


def _fault(why: str) -> str:
    return f"No helper process ({why}): a stall that goes on is not reported before it has ended."
