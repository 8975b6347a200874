"""Hands the stalls of a process over as they end, to the process that has started the program."""

from collections.abc import Callable, Mapping
import contextlib
import json
import os
from pathlib import Path
import sys
from typing import Any

from loopstall.instrument.child import LAG, LOOPED
from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool, telling
from loopstall.records import StallEvent, to_plain

__all__ = ["StallReporter"]


class StallReporter:
    """Watches every loop of this process, and of those forked from it.

    It prints nothing: whoever reads this process' output gets what the program writes.

    Args:
        threshold_ns: the span without progress from which there is a stall.
        folder: the folder in which stalls are handed over, a file for each process and a line for each stall.
        then: called after each, in the loop's thread.
    """

    def __init__(self, *, threshold_ns: int, folder: str, then: Callable[[], object] = lambda: None) -> None:
        self._folder = folder
        self._then = then
        self._said: set[str] = set()
        self.pool = MonitorPool(
            telling(
                self._tell,
                threshold_ns=threshold_ns,
                process=process_name,
                on_fault=self._tell_fault,
                monitor=_marking(folder, _monitor_of(folder)),
            )
        )
        """The monitors of the loops."""

    def start(self) -> None:
        """Watches every loop that begins to run from now on."""
        everywhere.add(self.pool.begin, self.pool.join)

    def stop(self) -> None:
        """Leaves loops alone that begin to run from now on."""
        everywhere.discard(self.pool.begin)

    def _tell(self, seen: StallEvent, _began_ns: int) -> None:
        """Hands a stall over; called in the loop's thread."""
        with contextlib.suppress(OSError):  # the disk is full, or the watch is over
            self._hand_over(to_plain(seen))
        self._then()

    def _tell_fault(self, sentence: str) -> None:
        """Hands over what a monitor could not do, once: there may be a monitor for each loop."""
        if sentence not in self._said:
            self._said.add(sentence)
            with contextlib.suppress(OSError):
                self._hand_over({"fault": sentence, "process": process_name()})

    def _hand_over(self, plain: Mapping[str, object]) -> None:
        """Appends a line in one write: whole when this process dies the next instant, never mixed with another's."""
        path = f"{self._folder}/{os.getpid()}.jsonl"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, json.dumps(plain).encode() + b"\n")
        finally:
            os.close(handle)


def _marking(folder: str, monitor: Callable[..., Monitor]) -> Callable[..., Monitor]:
    """Returns what makes a monitor, and says in the folder that there is a loop to watch."""

    def make(**options: Any) -> Monitor:
        with contextlib.suppress(OSError):
            os.close(os.open(f"{folder}/{LOOPED}", os.O_CREAT | os.O_WRONLY, 0o600))
        return monitor(**options)

    return make


def _monitor_of(folder: str) -> Callable[..., Monitor]:
    """Returns what makes a monitor: one that hands over the lag as well, where somebody wants to see it live."""
    if not os.path.isdir(f"{folder}/{LAG}"):  # noqa: PTH112  # pathlib would cost each process some milliseconds
        return Monitor
    from loopstall.instrument.live.lag_file import LagFile  # who is not looked at live starts without it
    from loopstall.instrument.live.lag_monitor import LagMonitor

    def make(**options: Any) -> Monitor:
        try:
            lag = LagFile(f"{folder}/{LAG}", process_name())
        except (OSError, AttributeError):  # nobody sees its lag, and its stalls are seen as ever
            return Monitor(**options)
        return LagMonitor(lag, **options)

    return make


def process_name() -> str:
    """Returns what this process is called, and its number."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    name = multiprocessing.current_process().name if multiprocessing is not None else "MainProcess"
    if name == "MainProcess":
        name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in {"", "-c", "-m"} else "python"
    return f"{name} {os.getpid()}"
