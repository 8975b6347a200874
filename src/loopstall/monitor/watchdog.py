"""The thread that looks at the program while the loop is late."""

from collections.abc import Callable
from dataclasses import dataclass, field
import os
from pathlib import Path
import select
import sys
import threading

from loopstall.clock import Clock
from loopstall.monitor.counters import syscall_of
from loopstall.monitor.stack import culprit, read_stack
from loopstall.monitor.switch import Switch, parse_dump
from loopstall.records import Frame

__all__ = ["Sighting", "Watchdog"]

_SAMPLES = 16  # of one stall; the pause between two doubles, so that these cover any length


@dataclass(slots=True)
class Sighting:
    """What was seen during one stall: stacks of the loop's thread in the order of time, and who else was busy.

    ``woke_ns`` is when the watchdog could first look, 0 where it never could.
    """

    stacks: list[tuple[Frame, ...]] = field(default_factory=list)
    syscalls: list[str] = field(default_factory=list)
    busy: dict[str, tuple[int, Frame | None]] = field(default_factory=dict)
    woke_ns: int = 0


class Watchdog:
    """Sleeps until the loop's next sign of life is overdue, then samples until it comes.

    With a switch it sleeps in the kernel until a stack has been written; without one it wakes up about once a
    threshold to look whether the loop is late.

    Args:
        overdue_ns: returns for how long the loop has been late; negative while it still has time.
        threshold_ns: how late is worth a stack.
        switch: what writes the loop thread's stack, or None.
        clock: monotonic time in ns.
        on_fault: told the message of an exception, after which the thread ends.
    """

    def __init__(
        self,
        *,
        overdue_ns: Callable[[], int],
        threshold_ns: int,
        switch: Switch | None,
        clock: Clock,
        on_fault: Callable[[str], None],
    ) -> None:
        self._overdue_ns = overdue_ns
        self._threshold_ns = threshold_ns
        self._switch = switch
        self._clock = clock
        self._on_fault = on_fault
        self._loop_ident = threading.get_ident()
        self._loop_thread = threading.get_native_id()
        self._stopped = threading.Event()
        self._sighting: Sighting | None = None
        self._thread = threading.Thread(target=self._run, name="loopstall-watchdog", daemon=True)

    def start(self) -> None:
        """Starts watching the thread that made this object."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stopped.set()
        if self._switch is not None:
            self._switch.wake()
        self._thread.join()

    @property
    def awake(self) -> bool:
        """Whether there is something to take."""
        return self._sighting is not None

    def take(self) -> Sighting:
        """Hands over what was seen since the last call; the loop's thread calls it when it is alive again."""
        sighting, self._sighting = self._sighting or Sighting(), None
        if self._switch is not None:
            dumped = parse_dump(self._switch.drain())
            if dumped:
                sighting.stacks.insert(0, dumped)
        return sighting

    def _run(self) -> None:
        try:
            if self._switch is None:
                self._poll()
            else:
                self._wait_for_dumps(self._switch)
        except Exception as error:  # noqa: BLE001  # a broken observer never breaks the observed program
            self._on_fault(f"watchdog switched off: {type(error).__name__}: {error}")

    def _wait_for_dumps(self, switch: Switch) -> None:
        waiting = select.poll()
        waiting.register(switch.reader, select.POLLIN)
        while not self._stopped.is_set():
            waiting.poll()
            self._look(self._clock())
            if self._sighting is None:  # the loop was back before this thread could look
                switch.drain()

    def _poll(self) -> None:
        pause_ns = self._threshold_ns
        while not self._stopped.wait(pause_ns / 1e9):
            late_ns = self._overdue_ns()
            if late_ns >= self._threshold_ns:
                self._look(self._clock())
                late_ns = 0
            pause_ns = self._threshold_ns - max(late_ns, 0)

    def _look(self, now: int) -> None:
        """Samples with growing pauses until the loop gives a sign of life."""
        if self._overdue_ns() <= 0 or self._stopped.is_set():
            return
        sighting = self._sighting = Sighting(woke_ns=now)
        pause_ns = self._threshold_ns // 2
        began = _cpu_of_others(self._loop_thread)
        while self._sighting is sighting and len(sighting.syscalls) < _SAMPLES:
            self._sample(sighting, began)
            if self._stopped.wait(pause_ns / 1e9) or self._overdue_ns() <= 0:
                return
            pause_ns *= 2

    def _sample(self, sighting: Sighting, began: dict[int, int]) -> None:
        frames = sys._current_frames()  # noqa: SLF001  # the documented way in
        sighting.syscalls.append(syscall_of(self._loop_thread))
        innermost = frames.get(self._loop_ident)
        if innermost is not None and self._overdue_ns() > 0:
            sighting.stacks.append(read_stack(innermost))
        used = _cpu_of_others(self._loop_thread)
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            if frame is None or thread is self._thread or thread.ident == self._loop_ident:
                continue
            cpu_ns = used.get(thread.native_id or 0, 0) - began.get(thread.native_id or 0, 0)
            before = sighting.busy.get(thread.name, (-1, None))
            if cpu_ns > before[0]:
                sighting.busy[thread.name] = (cpu_ns, culprit(read_stack(frame)))


def _cpu_of_others(loop_thread: int) -> dict[int, int]:
    """Returns the CPU time in ns of this process' other threads, by their number in the system."""
    used: dict[int, int] = {}
    own = threading.get_native_id()
    try:
        for entry in os.scandir("/proc/self/task"):
            number = int(entry.name)
            if number not in {own, loop_thread}:
                text = Path(entry.path, "schedstat").read_text(encoding="ascii")
                used[number] = int(text.split()[0])
    except (OSError, ValueError, IndexError):  # no /proc, or a thread that has just ended
        pass
    return used
