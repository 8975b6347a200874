"""Threads of the system and their identities, whatever a program has put in the place of Python's.

gevent's ``patch_all`` has ``threading`` and ``_thread`` make greenlets, of which many share a thread, and number those.
The monitor asks the system: where a thread stands, what it has computed and who has the GIL are matters of threads. So
it takes the functions of ``_thread`` as they were before, and makes its own thread with them, which ``threading`` never
hears of.
"""

import _thread
from collections.abc import Callable
import contextlib
import signal
import sys
from typing import Any

__all__ = ["Latch", "LocalData", "Lock", "ReentrantLock", "Thread", "get_ident", "get_native_id", "sleep"]

_FATAL = {one for one in signal.Signals if one.name in {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"}}


def _original(name: str) -> Any:
    """Returns what ``_thread`` has by a name, or had before gevent replaced it."""
    monkey = sys.modules.get("gevent.monkey")
    return getattr(_thread, name) if monkey is None else monkey.get_original("_thread", name)


get_ident: Callable[[], int] = _original("get_ident")
"""Returns the number by which Python knows this thread, as in ``sys._current_frames``."""
get_native_id: Callable[[], int] = _original("get_native_id")
"""Returns the number by which the system knows this thread."""
Lock: Callable[[], _thread.LockType] = _original("allocate_lock")
ReentrantLock: Any = _original("RLock")
LocalData: Any = _original("_local")
"""Attributes of its own for each thread."""
_start: Callable[[Callable[[], object], tuple[()]], int] = _original("start_new_thread")


def sleep(seconds: float) -> None:
    """Lets other threads have their turn for so long."""
    Latch().wait(seconds)


class Latch:
    """A flag that is set once, and can be waited for."""

    def __init__(self) -> None:
        self._set = False
        self._lock = Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Sets it."""
        if not self._set:
            self._set = True
            self._lock.release()

    def is_set(self) -> bool:
        """Returns whether it is set."""
        return self._set

    def wait(self, timeout_s: float = -1) -> bool:
        """Waits until it is set, or for so long; returns whether it is set."""
        if self._lock.acquire(timeout=timeout_s):
            self._lock.release()
        return self._set


class Thread:
    """A thread that runs a function, and does not keep the process from ending.

    It takes no signal: one that the program blocks in its own threads, and waits for, would end the process here.

    Args:
        function: what it runs.

    Raises:
        RuntimeError: the system starts none.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._started, self._ended = Latch(), Latch()
        self.native_id = 0
        _start(self._run, ())
        self._started.wait()

    def join(self) -> None:
        """Waits for its end."""
        self._ended.wait()

    def _run(self) -> None:
        try:
            with contextlib.suppress(AttributeError):  # a system without masks of signals
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FATAL)
            self.native_id = get_native_id()
            self._started.set()
            self._function()
        finally:
            self._started.set()
            self._ended.set()
