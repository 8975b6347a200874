"""A loop that has stopped: what times it stays in place, for ``asyncio.run`` has its loop run three times."""

from typing import Any
import weakref

from loopstall.monitor.probes import Probe
from loopstall.monitor.probes.selector import SelectorProbe
from loopstall.monitor.threads import get_ident

__all__ = ["Paused"]


class Paused:
    """A loop and its probe, neither of which is to live for longer because they are kept in mind here.

    Args:
        loop: the loop, which has just stopped in this thread.
        probe: what times it.
    """

    def __init__(self, loop: Any, probe: Probe) -> None:
        self._loop, self._probe = weakref.ref(loop), weakref.ref(probe)
        self._ident = get_ident()

    def is_of(self, loop: Any) -> bool:
        """Returns whether it is this loop."""
        return self._loop() is loop

    def probe_of(self, loop: Any) -> SelectorProbe | None:
        """Returns what times a loop that is about to run in this thread, None where nothing does that could go on."""
        probe = self._probe() if self.is_of(loop) and self._ident == get_ident() else None
        return probe if isinstance(probe, SelectorProbe) and probe.times(loop) else None

    def remove(self) -> None:
        """Takes the probe off."""
        probe = self._probe()
        if probe is not None:
            probe.remove()
