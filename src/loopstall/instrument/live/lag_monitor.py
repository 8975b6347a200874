"""A monitor that also hands over the lag of its loop, for who wants to see it live."""

import contextlib
import threading
from typing import Any

from loopstall.instrument.live.lag_file import LagFile
from loopstall.monitor.core import Monitor

__all__ = ["LagMonitor"]


class LagMonitor(Monitor):
    """A monitor whose spans of work over 1 ms are entered in a file in memory.

    Args:
        lag: that file; each monitor has one of its own.
        options: of a monitor.
    """

    def __init__(self, lag: LagFile, **options: Any) -> None:
        super().__init__(**options)
        self._lag = lag

    def attach(self, loop: Any) -> None:
        """Watches a loop in its own thread until ``detach``, and says so."""
        super().attach(loop)
        with contextlib.suppress(OSError):
            self._lag.attached(threading.current_thread().name)

    def detach(self) -> None:
        """Watches the loop no more."""
        super().detach()
        self._lag.detached()

    def stop(self) -> None:
        """Ends the watch; any thread may call."""
        super().stop()
        self._lag.close()

    def abandon(self) -> None:
        """Leaves a forked child unwatched and clean."""
        super().abandon()
        self._lag.close()

    def span(self, start: int, end: int) -> None:
        """Enters a span of work, and counts it."""
        self._lag.add(start, end)
        super().span(start, end)
