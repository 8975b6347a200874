"""Prints a test that hangs, with the stack of its loop, while it does: in a process that is not stuck itself.

Hands on ``SessionHelper``, for a whole session with its workers, and ``main``, which its helper process has run.
"""

import json
import os
from pathlib import Path
import shutil
import sys
import tempfile

from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.outside.link import VARIABLE
from loopstall.monitor.outside.news import told
from loopstall.monitor.outside.owned import OwnedHelper
from loopstall.report.escape import printable
from loopstall.report.stall_text import described, still_blocked

__all__ = ["SessionHelper", "main"]

_COMMAND = "import sys; sys.path[:] = {path!r}; from loopstall.pytest_plugin.hang import main; main()"


class SessionHelper:
    """The helper of a session: it looks at the loops of all its processes, and has tests printed that hang.

    Args:
        hang_after_s: how long a stall lasts until it is printed, and then each time that it has doubled.
        prints: descriptor of the terminal.

    Raises:
        OSError: there is no room for its folder.
        UnavailableError: there can be none, and why.
    """

    def __init__(self, *, hang_after_s: float, prints: int) -> None:
        self._before = os.environ.get(VARIABLE)
        self._folder = Path(tempfile.mkdtemp(prefix="loopstall-session-"))
        command = [sys.executable, "-c", _COMMAND.format(path=sys.path)]
        try:
            self._helper = OwnedHelper(
                self._folder / "helper", hang_after_s=hang_after_s, prints=prints, command=command
            )
        except UnavailableError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        os.environ[VARIABLE] = self._helper.address

    def close(self) -> None:
        """Lets the helper end with the last process, and leaves the environment as it was."""
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before
        self._helper.owner.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def main() -> None:
    """Prints the stall that stands in the standard input."""
    news = json.loads(sys.stdin.buffer.read())
    seen, goes_on = told(news)
    where = f"{printable(news['note'])}: " if news["note"] else ""
    text = still_blocked(seen) if goes_on else f"ended while it was blocked: {described(seen)}"
    sys.stderr.write(f"\nloopstall: {where}{text}\n{described(seen) if goes_on else ''}\n")
