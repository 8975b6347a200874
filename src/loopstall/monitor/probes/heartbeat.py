"""Loops that cannot be looked into (uvloop, and any other): timed by a callback that asks for itself again."""

import asyncio
from collections.abc import Callable
import contextlib
import ctypes
import sys

from loopstall.clock import NS_PER_MS, Clock
from loopstall.monitor.probes.base import Listener

__all__ = ["HeartbeatProbe"]

_BUSY_BEAT_SHARE = 0.2  # of the threshold, between two beats of a loop that works
_IDLE_BEAT_SHARE = 0.8  # of the threshold, between two beats of a loop that waits
_MARGIN_SHARE = 0.1  # of the threshold, how late a beat is when the loop is looked at
_BUSY_SHARE = 0.1  # of a gap: a loop that works
_UV_METRICS_IDLE_TIME = 1


class HeartbeatProbe:
    """Times a loop by a callback that asks for itself again and again.

    Where libuv tells how long it has waited for events (uvloop), a span is told apart from the waiting before it;
    elsewhere a span begins when the beat was due. The beat slows down while the loop has little to do.

    Args:
        loop: the loop.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        threshold_ns: int,
        floor_ns: int,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._loop = loop
        self._floor_ns = floor_ns
        self._clock = clock
        self._listener = listener
        self._idle_time = _libuv_idle_time(loop)
        self._fast_ns = max(int(threshold_ns * _BUSY_BEAT_SHARE), NS_PER_MS)
        slow_ns = max(int(threshold_ns * _IDLE_BEAT_SHARE), NS_PER_MS)
        self._slow_ns = slow_ns if self._idle_time is not None else self._fast_ns
        self._margin_ns = max(int(threshold_ns * _MARGIN_SHARE), NS_PER_MS // 2)
        self._beat_ns = self._fast_ns
        self._handle: asyncio.TimerHandle | None = None
        self._last_ns = self._due_ns = self._waited_ns = 0

    def install(self) -> None:
        """Asks for the first beat."""
        self.restart()

    def restart(self) -> None:
        """Forgets the span before, and asks for a beat."""
        if self._handle is not None:
            self._handle.cancel()
        self._waited_ns = self._idle_time() if self._idle_time is not None else 0
        self._ask(self._clock())

    def remove(self) -> None:
        """Asks for no beat any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def busy_since(self) -> int:
        """Returns when the beat was due, in ns; 0 while it is not."""
        return self._due_ns if self._clock() > self._due_ns else 0

    def _ask(self, now: int) -> None:
        self._last_ns = now
        self._due_ns = now + self._beat_ns
        self._listener.alive(now, self._beat_ns + self._margin_ns, self._beat_ns + 2 * self._margin_ns)
        self._handle = self._loop.call_later(self._beat_ns / 1e9, self._beat)

    def _beat(self) -> None:
        if self._handle is None:
            return
        now = self._clock()
        if self._idle_time is None:
            if now - self._due_ns > self._floor_ns:
                self._listener.span(self._due_ns, now)
        else:
            waited_ns = self._idle_time()
            busy_ns = now - self._last_ns - (waited_ns - self._waited_ns)
            self._waited_ns = waited_ns
            self._beat_ns = self._fast_ns if busy_ns > (now - self._last_ns) * _BUSY_SHARE else self._slow_ns
            if busy_ns > self._floor_ns:
                self._listener.span(now - busy_ns, now)
        self._ask(now)


def _libuv_idle_time(loop: object) -> Callable[[], int] | None:
    """Returns what tells how long libuv has waited for events, in ns, None where it cannot be asked."""
    module = sys.modules.get("uvloop.loop")
    pointer_of = getattr(module, "libuv_get_loop_t_ptr", None)
    if pointer_of is None or not isinstance(loop, module.Loop):  # type: ignore[union-attr]  # then there is a module
        return None
    with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):
        capsule = pointer_of(loop)
        get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
        get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        pointer = get_pointer(capsule, None)
        library = ctypes.PyDLL(module.__file__)  # type: ignore[union-attr]
        library.uv_loop_configure.argtypes = (ctypes.c_void_p, ctypes.c_int)
        if library.uv_loop_configure(pointer, _UV_METRICS_IDLE_TIME) != 0:
            return None
        idle_time = library.uv_metrics_idle_time
        idle_time.restype, idle_time.argtypes = ctypes.c_uint64, (ctypes.c_void_p,)
        return lambda: int(idle_time(pointer))
    return None
