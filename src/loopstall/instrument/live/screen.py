"""A live view on the terminal: the alternate screen of stderr, which gives back what was there before."""

from collections.abc import Callable, Iterator
import contextlib
import os
import signal
import sys
import threading
from types import FrameType

from rich.console import Console
from rich.live import Live

from loopstall.analysis.live import LiveView
from loopstall.errors import InputError
from loopstall.instrument.live.unsignalled import unsignalled
from loopstall.records.clock import NS_PER_S, Clock, now_ns
from loopstall.report.live_text import drawn
from loopstall.report.output import console

__all__ = ["Screen", "check_terminal"]

_EVERY_NS = NS_PER_S // 2
_PAUSE_S = 0.1
_STOPS = [getattr(signal, name) for name in ("SIGTSTP", "SIGTTIN", "SIGTTOU") if hasattr(signal, name)]


def check_terminal() -> None:
    """Raises ``InputError`` where stderr is no terminal that can show a view."""
    try:
        shows = sys.stderr is not None and os.isatty(sys.stderr.fileno())
    except (OSError, ValueError):
        shows = False
    if not shows or os.environ.get("TERM", "") in {"", "dumb"}:
        raise InputError(
            "--live needs a terminal on stderr that can move the cursor: leave it out to have each stall printed as a"
            " line, or use --serve"
        )


class Screen:
    """Shows a view on the terminal until it is closed.

    Args:
        view: returns the watch as it is now.
        clock: monotonic time in ns.
    """

    def __init__(self, view: Callable[[], LiveView], *, clock: Clock = now_ns) -> None:
        self._view = view
        self._clock = clock
        self._console: Console = console(sys.stderr, screen=True)
        self._live: Live | None = None
        self._due_ns = 0
        self._before: dict[int, object] = {}
        self._typed_as_before = _settings_back()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Draws the view where that is due, and the terminal is this command's."""
        with self._lock:
            now = self._clock()
            if now < self._due_ns:
                return
            self._due_ns = now + _EVERY_NS
            with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                if _is_foreground():
                    self._draw()

    def run_beside(self) -> None:
        """Draws in a thread from now on, where the main thread must not be kept; leaves the screen before a stop."""
        for number in _STOPS:
            self._before[number] = signal.signal(number, self._stop)
        self._thread = threading.Thread(target=self._run, daemon=True)
        with unsignalled():
            self._thread.start()

    def close(self) -> None:
        """Gives the terminal back as it was."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._leave()
        with contextlib.suppress(OSError, ValueError):
            if _is_foreground():
                self._typed_as_before()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it was given
        self._before.clear()

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """Gives the terminal back while the command is stopped."""
        with self._lock:
            self._leave()
            yield
            self._due_ns = 0

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            self.tick()

    def _draw(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        width, height = self._console.size
        self._live.update(drawn(self._view(), width=width, height=height), refresh=True)

    def _leave(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        with self.pausing():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.signal(number, self._stop)


def _settings_back() -> Callable[[], None]:
    """Returns what has the terminal treat what is typed as it does now: a program that is killed leaves it changed."""
    try:
        import termios  # not on Windows
    except ImportError:
        return lambda: None
    try:
        settings = termios.tcgetattr(sys.stderr.fileno())
    except (OSError, ValueError, termios.error):
        return lambda: None

    def back() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stderr.fileno(), termios.TCSADRAIN, settings)

    return back


def _is_foreground() -> bool:
    """Returns whether the terminal is this command's: in the background it belongs to the shell, or another one."""
    if not hasattr(os, "tcgetpgrp"):
        return True
    return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
