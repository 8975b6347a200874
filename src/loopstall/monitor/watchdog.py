"""The thread that looks at a loop's thread from outside: it sleeps without the GIL until an alarm goes off."""

from collections.abc import Callable
import os

from loopstall.monitor.asking import Answers, AskingPoll
from loopstall.monitor.kernel import Alarm, Poll
from loopstall.monitor.threads import Thread, sleep
from loopstall.records.clock import NS_PER_MS

__all__ = ["Look", "Wait", "Watchdog"]

_SOON_S = 0.001
_TRIES = 1000  # of that, for a thread that may lack a CPU

Wait = Callable[[int], object]
"""Pauses a look for that many ns, or until the alarm goes off."""
Look = Callable[[Wait], object]
"""The function that a watchdog calls when its alarm goes off."""


class Watchdog:
    """One thread with its alarm.

    Args:
        look: called in that thread when the alarm goes off.
        begin: called there before anything else.
        answers: of the main thread, which is asked whenever the watchdog wakes up and no question is open; None for
            nobody's.

    Raises:
        UnavailableError: the system has no such alarm.
        OSError: no descriptor is free.
        RuntimeError: the system starts no thread.
    """

    def __init__(self, look: Look, begin: Callable[[], object] = lambda: None, answers: Answers | None = None) -> None:
        self._look = look
        self._begin = begin
        self._asking = False
        self.answers = answers
        self.alarm = Alarm()
        try:
            self._ended_reader, self._ended_writer = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.alarm.close()
            raise
        try:
            self.thread = Thread(self._run)
        except RuntimeError:
            self._close()
            raise

    def ask_nobody(self) -> None:
        """Ends the questions, also one that is about to be asked: the interpreter will not be there much longer."""
        self.answers = None
        for _ in range(_TRIES):
            if not self._asking:
                break
            self.alarm.arm(1)
            sleep(_SOON_S)

    def end(self) -> None:
        """Ends the thread and gives everything back."""
        os.write(self._ended_writer, b".")
        self.thread.join()
        self._close()

    def abandon(self) -> None:
        """Forgets everything in a forked child, where the thread does not exist."""
        self._close()

    def _close(self) -> None:
        self.alarm.close()
        os.close(self._ended_reader)
        os.close(self._ended_writer)

    def _run(self) -> None:
        alarm, ended = self.alarm.fd, self._ended_reader
        called = Poll(alarm, ended)
        asking: AskingPoll | None = None
        self._begin()

        def pause(pause_ms: int) -> None:
            nonlocal asking
            answers = self.answers
            if answers is None or answers.are_due():
                called.wait(pause_ms)
                return
            self._asking = True
            asking = asking or AskingPoll(called)
            asking.wait(pause_ms, answers)
            self._asking = False

        def wait(pause_ns: int) -> bool:
            pause(-(-pause_ns // NS_PER_MS))
            return called.is_ready(alarm) or called.is_ready(ended)

        pause(-1)
        while not called.is_ready(ended):
            if called.is_ready(alarm):
                self.alarm.clear()
                self._look(wait)
            pause(-1)
