"""The names of this process' threads, also of one that has just ended."""

import contextlib
import threading

from loopstall.monitor.samples import ThreadView

__all__ = ["ThreadNames"]


class ThreadNames:
    """Tells the name of whoever held the GIL, which the helper knows by number."""

    def __init__(self) -> None:
        self._noted: dict[int, str] = {}

    def look(self) -> list[ThreadView]:
        """Notes the names of now: whoever gave the GIL up may end before it is asked for. Nobody else is looked at."""
        self._noted = _current()
        return []

    def take(self, numbers: set[int]) -> dict[int, str]:
        """Returns the names of threads by their numbers in the system, and forgets what was noted.

        Args:
            numbers: of the threads; those that nobody knows are left out.
        """
        noted, self._noted = self._noted, {}
        known = {**noted, **_current()} if numbers else {}
        return {number: known[number] for number in numbers if number in known}


def _current() -> dict[int, str]:
    with contextlib.suppress(RuntimeError, AttributeError):  # one begins or ends meanwhile; a patched module
        known = tuple(threading._dangling)  # type: ignore[attr-defined]  # noqa: SLF001  # ``enumerate`` takes a lock
        return {thread.native_id: str(thread.name) for thread in known if thread.native_id}
    return {}
