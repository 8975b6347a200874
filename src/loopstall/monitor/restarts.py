"""Notices when a loop that has stopped runs again: the time in between is no stall."""

from collections.abc import Callable
import contextlib
from typing import Any

__all__ = ["Restarts"]


class Restarts:
    """Calls a function whenever a loop is about to run again, until ``remove``.

    Args:
        loop: the loop; one that takes no attributes is left as it is.
        restart: the function.
    """

    def __init__(self, loop: Any, restart: Callable[[], object]) -> None:
        self._loop = loop
        self._run_forever: Callable[[], None] | None = None
        inner = getattr(loop, "run_forever", None)
        if inner is None:
            return

        def run_forever() -> None:
            restart()
            inner()

        self._run_forever = run_forever
        with contextlib.suppress(AttributeError):
            loop.run_forever = run_forever

    def remove(self) -> None:
        """Takes that back, unless somebody has put something else in its place."""
        if self._run_forever and getattr(self._loop, "__dict__", {}).get("run_forever") is self._run_forever:
            del self._loop.run_forever
