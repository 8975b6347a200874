"""The thread that looks at the loop thread's stack while the loop is late."""

from collections.abc import Callable
import sys
import threading

from loopstall.monitor.stack import read_stack
from loopstall.records import Frame

__all__ = ["Watchdog"]

_SAMPLES = 16  # of one stall; the pause between two doubles, so that these cover any length


class Watchdog:
    """Sleeps until the loop's next sign of life is overdue, then samples stacks until it comes.

    Args:
        overdue_ns: returns for how long the loop has been late; negative while it still has time.
        threshold_ns: how late is worth a stack.
        on_fault: told the message of an exception, after which the thread ends.
    """

    def __init__(self, *, overdue_ns: Callable[[], int], threshold_ns: int, on_fault: Callable[[str], None]) -> None:
        self._overdue_ns = overdue_ns
        self._threshold_ns = threshold_ns
        self._on_fault = on_fault
        self._thread_id = threading.get_ident()
        self._stopped = threading.Event()
        self._samples: list[tuple[Frame, ...]] = []
        self._thread = threading.Thread(target=self._run, name="loopstall-watchdog", daemon=True)

    def start(self) -> None:
        """Starts watching the thread that made this object."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stopped.set()
        self._thread.join()

    def take(self) -> list[tuple[Frame, ...]]:
        """Hands over the stacks sampled since the last call."""
        samples, self._samples = self._samples, []
        return samples

    def _run(self) -> None:
        pause_ns = self._threshold_ns
        try:
            while not self._stopped.wait(pause_ns / 1e9):
                late_ns = self._overdue_ns()
                if late_ns < self._threshold_ns:
                    pause_ns = self._threshold_ns - max(late_ns, 0)
                    continue
                samples = self._samples
                if len(samples) < _SAMPLES:
                    frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001  # the documented way in
                    if frame is not None and self._samples is samples:
                        samples.append(read_stack(frame))
                pause_ns = self._threshold_ns << min(len(samples), 8)
        except Exception as error:  # noqa: BLE001  # a broken observer never breaks the observed program
            self._on_fault(f"watchdog switched off: {type(error).__name__}: {error}")
