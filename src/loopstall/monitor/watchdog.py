"""The thread that looks at a loop's thread from outside: it sleeps without the GIL until an alarm goes off."""

from collections.abc import Callable
import contextlib
import os
import select
import signal
import threading
from types import FrameType

from loopstall.monitor.kernel import Alarm, SignalTimer
from loopstall.records.clock import NS_PER_MS

__all__ = ["Look", "OnSignal", "Wait", "Watchdog"]

Wait = Callable[[int], object]
"""Pauses a look for that many ns, or until the alarm goes off."""
Look = Callable[[Wait], object]
"""The function that a watchdog calls when its alarm goes off."""
OnSignal = Callable[[int, FrameType | None], object]
"""A handler of a signal, as Python calls it."""


class Watchdog:
    """One thread with its alarm, and a timer whose signal a thread answers.

    Args:
        look: called in that thread when the alarm goes off.
        begin: called there before anything else.
        on_signal: called in the main thread when the signal arrives.

    Raises:
        UnavailableError: the system has no such alarm.
        OSError: no descriptor is free.
    """

    def __init__(self, look: Look, on_signal: OnSignal, begin: Callable[[], object] = lambda: None) -> None:
        self._look = look
        self._begin = begin
        self._on_signal = on_signal
        self._timer: SignalTimer | None = None
        self._timed_thread = 0
        self.alarm = Alarm()
        try:
            self._ended_reader, self._ended_writer = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.alarm.close()
            raise
        self.thread = threading.Thread(target=self._run, name="loopstall-watchdog", daemon=True)
        self.thread.start()

    def timer(self, thread_id: int) -> SignalTimer:
        """Returns a timer that sends a thread a signal that nobody else handles; called in the main thread.

        Args:
            thread_id: the kernel's number of the thread.

        Raises:
            UnavailableError: the system has no such timer, or no signal is free.
        """
        timer = self._timer
        if timer is None or thread_id != self._timed_thread or signal.getsignal(timer.signal) != self._on_signal:
            self._drop_timer()
            timer = self._timer = SignalTimer(thread_id)
            self._timed_thread = thread_id
            signal.signal(timer.signal, self._on_signal)
            signal.siginterrupt(timer.signal, False)  # the parameter has no other form
        return timer

    def _drop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is None:
            return
        timer.close()
        with contextlib.suppress(ValueError):  # not the main thread: the signal stays taken, and nobody sends it
            if signal.getsignal(timer.signal) == self._on_signal:
                signal.signal(timer.signal, signal.SIG_IGN)  # one may still be on its way
                signal.signal(timer.signal, signal.SIG_DFL)

    def end(self) -> None:
        """Ends the thread and gives everything back."""
        os.write(self._ended_writer, b".")
        self.thread.join()
        self._drop_timer()
        self._close()

    def abandon(self) -> None:
        """Forgets everything in a forked child, where neither the thread nor the timer exists."""
        timer, self._timer = self._timer, None
        if timer is not None:
            signal.signal(timer.signal, signal.SIG_DFL)
        self._close()

    def _close(self) -> None:
        self.alarm.close()
        os.close(self._ended_reader)
        os.close(self._ended_writer)

    def _run(self) -> None:
        called = select.poll()
        called.register(self.alarm.fd, select.POLLIN)
        called.register(self._ended_reader, select.POLLIN)
        ended = self._ended_reader
        self._begin()

        def wait(pause_ns: int) -> bool:
            return bool(called.poll(pause_ns / NS_PER_MS))

        while not any(fd == ended for fd, _ in called.poll()):
            self.alarm.clear()
            self._look(wait)
