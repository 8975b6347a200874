"""Reports the stalls of a process as they end: to people, to a file, and to the process that sums them up."""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, replace
import json
import os
from pathlib import Path
import sys
import threading
from typing import Any

from loopstall.analysis.culprits import StallSummary
from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.records import DESCHEDULED, Stall, StallEvent, stall_event_from, to_plain
from loopstall.records.clock import epoch_s
from loopstall.report.escape import printable
from loopstall.report.stall_text import described, in_a_line

__all__ = ["Settings", "StallReporter", "handed_over"]

_FULL = 10_000  # stalls of another process that are handed over with all that was seen; those after it without stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the processes of a watched program.

    Args:
        threshold_ns: the span without progress from which there is a stall.
        fail_over_ns: the length from which a stall breaks the budget; 0 for none.
        home: number of the process that sums up.
        folder: the folder in which the others hand their stalls over.
        lines: the file to which each stall is appended as JSON, "" for none.
        stacks: whether to report each with its stack.
    """

    threshold_ns: int
    fail_over_ns: int
    home: int
    folder: str
    lines: str
    stacks: bool


class StallReporter:
    """Watches every loop of this process, and of those forked from it.

    Args:
        settings: how.
        summary: of the process that sums up.
        say: a function that reports a stall to people; a line of stderr for None.
    """

    def __init__(
        self, settings: Settings, summary: StallSummary | None = None, say: Callable[[StallEvent], object] | None = None
    ) -> None:
        self._settings = settings
        self._summary = summary
        self._say = say
        self._lock = threading.Lock()
        self._handed = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def start(self) -> None:
        """Watches every loop that begins to run from now on."""
        everywhere.add(self._begin)

    def stop(self) -> None:
        """Watches no more loops."""
        everywhere.discard(self._begin)

    def _forked(self) -> None:
        self._lock = threading.Lock()  # another thread may have had it
        self._handed = 0

    def _begin(self, loop: Any) -> Callable[[], object]:
        monitor = Monitor(
            threshold_ns=self._settings.threshold_ns, kept=1, on_stall=lambda stall: self._seen(monitor, stall)
        )
        monitor.start(loop)
        return monitor.stop

    def _seen(self, monitor: Monitor, stall: Stall) -> None:
        """Reports a stall; called in the loop's thread."""
        over_ns = self._settings.fail_over_ns
        began_ns = monitor.started_ns + stall.start_ns
        seen = StallEvent(
            stall=stall,
            length_ns=stall.duration_ns,
            at=epoch_s(began_ns),
            process=process_name(),
            thread=threading.current_thread().name,
            over=bool(over_ns) and stall.duration_ns > over_ns and stall.cause != DESCHEDULED,
        )
        with self._lock:
            for tell in (self._sum_up, self._keep, self._print):  # a disk may be full, a program close its stderr:
                with contextlib.suppress(OSError, ValueError):  # what one of them cannot do, the others still do
                    tell(seen)

    @property
    def _at_home(self) -> bool:
        return os.getpid() == self._settings.home

    def _sum_up(self, seen: StallEvent) -> None:
        if not self._at_home:
            self._handed += 1
            if self._handed > _FULL:
                seen = replace(seen, stall=replace(seen.stall, stack=(), glimpses=(), evidence=None))
            _append(Path(self._settings.folder, f"{os.getpid()}.jsonl"), seen)
        elif self._summary is not None:
            self._summary.add(seen)

    def _keep(self, seen: StallEvent) -> None:
        if self._settings.lines:
            _append(Path(self._settings.lines), seen)

    def _print(self, seen: StallEvent) -> None:
        if self._at_home and self._say is not None:
            self._say(seen)
        elif sys.__stderr__ is not None:
            text = described(seen.stall, seen.length_ns) if self._settings.stacks else in_a_line(seen)
            sys.__stderr__.write(f"loopstall{'' if self._at_home else f' [{printable(seen.process)}]'}: {text}\n")
            sys.__stderr__.flush()


def process_name() -> str:
    """Returns what this process is called, and its number."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    name = multiprocessing.current_process().name if multiprocessing is not None else "MainProcess"
    if name == "MainProcess":
        name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in {"", "-c", "-m"} else "python"
    return f"{name} {os.getpid()}"


def handed_over(folder: Path) -> Iterator[StallEvent]:
    """Yields what other processes have handed over; a line that one was killed in is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    yield stall_event_from(json.loads(line))


def _append(path: Path, seen: StallEvent) -> None:
    """Appends a line in one write, so that those of several processes do not mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, json.dumps(to_plain(seen)).encode() + b"\n")
    finally:
        os.close(handle)
