"""The thread that looks at a loop's thread from outside: it sleeps without the GIL until an alarm goes off.

Making one takes half a ms, which a program that runs a loop for every request, as a test client does, would pay each
time: while somebody watches every loop of the process, watchdogs that are given back wait for the next loop.
"""

from collections.abc import Callable
import contextlib
import os
import select
import signal
import threading
from types import FrameType

from loopstall.clock import NS_PER_MS
from loopstall.monitor.kernel import Alarm, KeptFile, SignalTimer

__all__ = ["Look", "Wait", "Watchdog", "give_back", "keep_watchdogs", "let_watchdogs_go", "watchdog"]

Wait = Callable[[int], object]
"""Pauses a look for that many ns, or until the alarm goes off."""
Look = Callable[[Wait], object]
"""What a watchdog does when its alarm goes off."""
OnSignal = Callable[[int, FrameType | None], object]
"""A handler of a signal, as Python calls it."""


class Watchdog:
    """One thread and its alarm, for one loop at a time.

    Raises:
        UnavailableError: the system has no such alarm.
        OSError: no descriptor is free.
    """

    def __init__(self) -> None:
        self.alarm = Alarm()
        self._look: Look | None = None
        self._looking = threading.Lock()
        self._timer: SignalTimer | None = None
        self._timed_thread = 0
        self._on_signal: OnSignal | None = None
        self._file = ("", KeptFile(""))
        try:
            self._ended_reader, self._ended_writer = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.alarm.close()
            raise
        self.thread = threading.Thread(target=self._run, name="loopstall-watchdog", daemon=True)
        self.thread.start()

    def serve(self, look: Look) -> None:
        """Looks so from now on."""
        self._look = look

    def rest(self) -> None:
        """Looks for nobody any more; returns when it does not."""
        self._look = self._on_signal = None
        if self._timer is not None:
            self._timer.disarm()
        self.alarm.disarm()
        while not self._looking.acquire(blocking=False):
            self.alarm.arm(1)  # or it would sit its pause out
            if self._looking.acquire(timeout=0.001):
                break
        self.alarm.disarm()
        self.alarm.clear()
        self._looking.release()

    def timer(self, thread_id: int, on_signal: OnSignal) -> SignalTimer:
        """Returns a timer that sends a thread a signal that nobody else handles; called in the main thread.

        Args:
            thread_id: the kernel's number of the thread.
            on_signal: called in the main thread when the signal arrives, until ``rest``.

        Raises:
            UnavailableError: the system has no such timer, or no signal is free.
        """
        timer = self._timer
        if timer is None or thread_id != self._timed_thread or signal.getsignal(timer.signal) != self._signalled:
            self._drop_timer()
            timer = self._timer = SignalTimer(thread_id)
            self._timed_thread = thread_id
            signal.signal(timer.signal, self._signalled)
            signal.siginterrupt(timer.signal, False)  # the parameter has no other form
        self._on_signal = on_signal
        return timer

    def file(self, path: str) -> KeptFile:
        """Returns a file that is read again and again; it is closed with the watchdog, or when another is asked for."""
        if self._file[0] != path:
            self._file[1].close()
            self._file = (path, KeptFile(path))
        return self._file[1]

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._on_signal is not None:
            self._on_signal(number, frame)

    def _drop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is None:
            return
        timer.close()
        with contextlib.suppress(ValueError):  # not the main thread: the signal stays taken, and nobody sends it
            if signal.getsignal(timer.signal) == self._signalled:
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
        self._on_signal = None
        if timer is not None:
            signal.signal(timer.signal, signal.SIG_DFL)
        self._close()

    def _close(self) -> None:
        self._file[1].close()
        self.alarm.close()
        os.close(self._ended_reader)
        os.close(self._ended_writer)

    def _run(self) -> None:
        called = select.poll()
        called.register(self.alarm.fd, select.POLLIN)
        called.register(self._ended_reader, select.POLLIN)
        ended = self._ended_reader

        def wait(pause_ns: int) -> bool:
            return bool(called.poll(pause_ns / NS_PER_MS))

        while True:
            if any(fd == ended for fd, _ in called.poll()):
                return
            with self._looking:
                self.alarm.clear()
                look = self._look
                if look is not None:
                    look(wait)


_lock = threading.Lock()
_keepers = 0
_idle: list[Watchdog] = []


def keep_watchdogs() -> None:
    """Keeps watchdogs that are given back for the next loop, until ``let_watchdogs_go`` has been called as often."""
    global _keepers  # noqa: PLW0603  # of this process
    with _lock:
        _keepers += 1


def let_watchdogs_go() -> None:
    """Ends those that wait, when nobody else keeps them."""
    global _keepers  # noqa: PLW0603
    with _lock:
        _keepers -= 1
        idle = [] if _keepers else [_idle.pop() for _ in range(len(_idle))]
    for one in idle:
        one.end()


def watchdog() -> Watchdog:
    """Returns one that waits, or a new one.

    Raises:
        UnavailableError: the system has no such alarm.
        OSError: no descriptor is free.
    """
    with _lock:
        if _idle:
            return _idle.pop()
    return Watchdog()


def give_back(one: Watchdog) -> None:
    """Takes a watchdog back that looks for nobody any more."""
    one.rest()
    with _lock:
        if _keepers:
            _idle.append(one)
            return
    one.end()


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()  # another thread may have had it
    while _idle:
        _idle.pop().abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
