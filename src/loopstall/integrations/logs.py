"""Stalls as records of the standard ``logging``, with fields for formatters that write JSON.

Example:
    >>> from loopstall.integrations.logs import StallLogger
    >>> logger = StallLogger(threshold=0.05).start()  # every loop of the process, until logger.stop()
"""

import logging
import threading

from loopstall.analysis.confidence import confidence_of
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_S, Clock, now_ns
from loopstall.records.units import counted, format_ns
from loopstall.report.text import place, printable

__all__ = ["StallLogger"]

_WINDOW_NS = 60 * NS_PER_S


class StallLogger:
    """Writes a record for every stall that it is called with, and no more than a number of them a minute.

    Each record has the fields ``stall_duration_s``, ``stall_cause``, ``stall_rule``, ``stall_confidence``,
    ``stall_file``, ``stall_line``, ``stall_function``, ``stall_task``, ``stall_coroutine``, ``stall_label``,
    ``stall_advice`` and ``stall_suppressed``, the number of stalls before it that were not logged; None or "" for what
    is not known.

    It is a function for ``on_stall=`` of ``loopstall.watch`` and of the middleware; ``start`` has it watch by itself.

    Args:
        threshold: seconds from which on a span without progress is a stall, for ``start``.
        logger: who logs; that of the name ``loopstall`` for None.
        level: of the records.
        per_minute: the number of records a minute beyond which stalls are counted and not logged.
        clock: monotonic time in ns.

    Raises:
        ValueError: the threshold or ``per_minute`` is not positive.
    """

    def __init__(
        self,
        threshold: float = 0.02,
        *,
        logger: logging.Logger | None = None,
        level: int = logging.WARNING,
        per_minute: int = 60,
        clock: Clock = now_ns,
    ) -> None:
        if not threshold > 0:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        if not per_minute > 0:
            raise ValueError(f"per_minute must be a positive number of records, not {per_minute!r}")
        threshold_ns = round(threshold * NS_PER_S)
        self._pool = MonitorPool(lambda: Monitor(threshold_ns=threshold_ns, kept=1, on_stall=self))
        self._logger = logger or logging.getLogger("loopstall")
        self._level = level
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._since_ns = clock()
        self._logged = self._suppressed = 0

    def start(self) -> "StallLogger":
        """Watches the loop that runs in this thread, if one does, and every loop that begins to run from now on."""
        self._pool.watch_all()
        return self

    def stop(self) -> None:
        """Watches no more, and logs how many stalls were not logged since the last record."""
        self._pool.watch_none()
        with self._lock:
            suppressed, self._suppressed = self._suppressed, 0
        if suppressed:
            self._logger.log(self._level, "%s not logged", counted(suppressed, "more stall"))

    def __call__(self, stall: Stall) -> None:
        """Logs a stall, or counts it where there were too many within the minute."""
        with self._lock:
            now = self._clock()
            if now - self._since_ns >= _WINDOW_NS:
                self._since_ns, self._logged = now, 0
            if self._logged >= self._per_minute:
                self._suppressed += 1
                return
            self._logged += 1
            suppressed, self._suppressed = self._suppressed, 0
        frame = stall.holder or stall.culprit
        where = place(frame) if frame is not None else "no culprit was seen"
        what = printable(stall.label or stall.task or "no task")
        more = f" ({counted(suppressed, 'earlier stall')} not logged)" if suppressed else ""
        self._logger.log(
            self._level,
            "event loop stalled for %s, %s: %s, %s%s",
            format_ns(stall.duration_ns),
            stall.cause,
            where,
            what,
            more,
            extra=_fields(stall) | {"stall_suppressed": suppressed},
        )


def _fields(stall: Stall) -> dict[str, object]:
    """Returns a stall as flat fields, which every formatter takes."""
    frame = stall.holder or stall.culprit
    return {
        "stall_duration_s": stall.duration_ns / NS_PER_S,
        "stall_cause": stall.cause,
        "stall_rule": stall.rule,
        "stall_confidence": confidence_of(stall),
        "stall_file": frame.file if frame is not None else None,
        "stall_line": frame.line if frame is not None else None,
        "stall_function": frame.function if frame is not None else None,
        "stall_task": stall.task,
        "stall_coroutine": stall.coroutine,
        "stall_label": stall.label,
        "stall_advice": rule_of(stall.cause, gil=had_gil(stall)).advice,
    }
