"""Loops that cannot be looked into (uvloop, and any other): timed by a callback that asks for itself again."""

import asyncio
from collections.abc import Callable
import contextlib
import ctypes
import sys

from loopstall.monitor.kernel import Alarm, UnavailableError
from loopstall.monitor.probes.base import Listener
from loopstall.records.clock import NS_PER_MS, NS_PER_S, Clock

__all__ = ["HeartbeatProbe", "libuv_of"]

_BEAT_SHARE = 0.5  # of the threshold, between two beats
_SILENT_BEAT_SHARE = 16  # of the threshold, between two beats of a loop that has nothing else to do
_SILENT_TURNS = 1  # of the loop between two beats, where it has nothing else to do: the beat's own
_SILENT_BEATS = 400  # one after the other until it counts as silent: a second at a threshold of 5 ms
_ALARM_MARGIN_NS = 3 * NS_PER_MS // 4  # how late a beat may be
_TIMER_MARGIN_NS = 3 * NS_PER_MS // 2  # where the loop times it: libuv counts in whole ms
_UV_METRICS_IDLE_TIME = 1


class HeartbeatProbe:
    """Times a loop by a callback that asks for itself again and again.

    Where libuv tells how long it has waited for events (uvloop), a span is told apart from the waiting before it;
    elsewhere a span begins when the beat was due. The beat slows down while the loop has nothing else to do, for each
    one wakes the process up.

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
        self._libuv = libuv_of(loop)
        self._usual_ns = max(int(threshold_ns * _BEAT_SHARE), NS_PER_MS)
        self._silent_ns = max(int(threshold_ns * _SILENT_BEAT_SHARE), NS_PER_MS)
        self._beat_ns = self._usual_ns
        self._turns = self._silent_beats = 0
        self._metronome = _metronome_of(loop)
        self._last_ns = self._due_ns = self._waited_ns = 0

    def install(self) -> None:
        """Asks for the beats."""
        self.restart()

    def restart(self) -> None:
        """Forgets the span before."""
        if self._libuv is not None:
            self._waited_ns, self._turns = self._libuv.waited_ns(), self._libuv.turns()
        self._metronome.start(self._beat, self._beat_ns)
        self._await_next(self._clock())

    def remove(self) -> None:
        """Asks for no beat any more."""
        self._metronome.stop()

    def tell(self, now: int) -> None:
        """Reports the span that is going on, as if it ended now."""
        if self._libuv is not None:
            self._beat_of_libuv(self._libuv, now)
        elif now - self._due_ns > self._floor_ns:
            self._listener.span(self._due_ns, now)

    def expect(self, due_ns: int) -> None:
        """Nothing: the beat itself is expected."""

    def busy_since(self) -> int:
        """Returns when the beat was due, in ns; 0 while it is not."""
        return self._due_ns if self._clock() > self._due_ns else 0

    def _await_next(self, now: int) -> None:
        self._last_ns = now
        self._due_ns = now + self._beat_ns
        self._listener.late_s[0] = self._due_ns / NS_PER_S
        self._listener.alive(now, self._beat_ns + self._metronome.margin_ns)

    def _beat(self) -> None:
        now = self._clock()
        self.tell(now)
        self._await_next(now)

    def _beat_of_libuv(self, libuv: "Libuv", now: int) -> None:
        before_ns, self._waited_ns = self._waited_ns, libuv.waited_ns()
        busy_ns = now - self._last_ns - (self._waited_ns - before_ns)
        before, self._turns = self._turns, libuv.turns()
        self._silent_beats = self._silent_beats + 1 if self._turns - before <= _SILENT_TURNS else 0
        beat_ns = self._silent_ns if self._silent_beats >= _SILENT_BEATS else self._usual_ns
        if beat_ns != self._beat_ns:
            self._beat_ns = beat_ns
            self._metronome.start(self._beat, beat_ns)
        if busy_ns > self._floor_ns:
            self._listener.span(now - busy_ns, now)


class _AlarmMetronome:
    """Beats by a timer that the loop reads like a socket.

    A timer of the loop's own would have the kernel set up one of its timers for each wait for events, which costs a
    server that has none about a microsecond a request.
    """

    margin_ns = _ALARM_MARGIN_NS

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._alarm: Alarm | None = Alarm()

    def start(self, beat: Callable[[], None], interval_ns: int) -> None:
        """Calls ``beat`` every ``interval_ns``, whatever the interval was before."""
        alarm = self._alarm
        if alarm is None:
            return

        def expired() -> None:
            alarm.clear()
            beat()

        alarm.repeat(interval_ns)
        self._loop.add_reader(alarm.fd, expired)

    def stop(self) -> None:
        """Ends the beats."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.remove_reader(alarm.fd)
            alarm.close()


class _TimerMetronome:
    """Beats by a timer of the loop's own."""

    margin_ns = _TIMER_MARGIN_NS

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self, beat: Callable[[], None], interval_ns: int) -> None:
        """Calls ``beat`` every ``interval_ns``, whatever the interval was before."""
        self.stop()

        def expired() -> None:
            self._handle = self._loop.call_later(interval_ns / 1e9, expired)
            beat()

        self._handle = self._loop.call_later(interval_ns / 1e9, expired)

    def stop(self) -> None:
        """Ends the beats."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _metronome_of(loop: asyncio.AbstractEventLoop) -> _AlarmMetronome | _TimerMetronome:
    """Returns the cheapest metronome there is."""
    if hasattr(loop, "add_reader"):
        with contextlib.suppress(UnavailableError):
            return _AlarmMetronome(loop)
    return _TimerMetronome(loop)


class Libuv:
    """The metrics of a loop of libuv's.

    Args:
        library: the extension that libuv is linked into.
        loop: address of the ``uv_loop_t``.
    """

    def __init__(self, library: ctypes.PyDLL, loop: int) -> None:
        self._loop = ctypes.c_void_p(loop)
        if library.uv_loop_configure(self._loop, _UV_METRICS_IDLE_TIME) != 0:
            raise OSError("libuv does not measure idle time")
        self._idle_time = library.uv_metrics_idle_time
        self._idle_time.restype, self._idle_time.argtypes = ctypes.c_uint64, (ctypes.c_void_p,)
        self._info = library.uv_metrics_info
        self._info.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        self._metrics = (ctypes.c_uint64 * 16)()  # uv_metrics_t: loop_count, events, events_waiting, reserved

    def waited_ns(self) -> int:
        """Returns for how long the loop has waited for events."""
        return int(self._idle_time(self._loop))

    def turns(self) -> int:
        """Returns how often the loop has turned."""
        self._info(self._loop, ctypes.addressof(self._metrics))
        return self._metrics[0]


def libuv_of(loop: object) -> Libuv | None:
    """Returns the metrics of a loop of uvloop, None for any other, and where libuv is too old."""
    module = sys.modules.get("uvloop.loop")
    pointer_of = getattr(module, "libuv_get_loop_t_ptr", None)
    if module is None or pointer_of is None or not isinstance(loop, module.Loop):
        return None
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):
        return Libuv(ctypes.PyDLL(module.__file__), get_pointer(pointer_of(loop), None))
    return None
