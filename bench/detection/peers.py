"""Every detector behind one face: ``start`` within the running loop, ``take`` what it has reported since.

A report is a dictionary with ``ns``, how long, and what else the detector tells: ``lines``, the line numbers of the
file of the kinds that it blames, innermost first; ``cause``; ``holder_lines``.
"""

import asyncio
from collections.abc import Callable
import importlib.metadata
import logging
import re
import traceback
from typing import Any

import kinds

Report = dict[str, Any]


def lines_in(text: str) -> list[int]:
    """Returns the line numbers of the file of the kinds that a formatted stack names, innermost first."""
    name = re.escape(kinds.FILE)
    found = re.findall(rf'{name}(?:", line |:)(\d+)', text)
    return [int(number) for number in reversed(found)]


class Detector:
    """One detector; ``package`` is its name on PyPI, "" where it is Python's or ours.

    ``not_on_uvloop`` says why it can see nothing there, "" where it can.
    """

    package = ""
    not_on_uvloop = ""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.reports: list[Report] = []

    def take(self) -> list[Report]:
        """Returns what was reported since the last call."""
        taken, self.reports = self.reports, []
        return taken

    def start(self) -> None:
        """Begins, in the running loop."""

    def stop(self) -> None:
        """Ends."""

    @classmethod
    def version(cls) -> str:
        """Returns the version that is installed.

        Raises:
            PackageNotFoundError: none is.
        """
        return importlib.metadata.version(cls.package) if cls.package else ""


class Nothing(Detector):
    """No detector."""


class Loopstall(Detector):
    """Ours."""

    def start(self) -> None:
        from loopstall import watch  # each process imports the one that it measures

        self._watch = watch(self.threshold, on_stall=self._note)
        self._watch.__enter__()

    def _note(self, stall: Any) -> None:
        lines = [frame.line for frame in stall.stack if frame.file == kinds.FILE]
        if stall.culprit is not None and stall.culprit.file == kinds.FILE:
            lines.insert(0, stall.culprit.line)
        holder = [stall.holder.line] if stall.holder is not None and stall.holder.file == kinds.FILE else []
        self.reports.append({
            "ns": stall.duration_ns, "lines": lines, "cause": stall.cause, "holder_lines": holder, "rule": stall.rule,
            "culprit": str(stall.culprit), "holder": f"{stall.holder_thread} {stall.holder}",
            "evidence": str(stall.evidence),
        })  # fmt: skip

    def stop(self) -> None:
        self._watch.__exit__(None, None, None)
        for fault in self._watch.faults:
            print("fault:", fault)


class AsyncioDebug(Detector):
    """asyncio's debug mode."""

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = self.threshold
        logger = logging.getLogger("asyncio")
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(_Records(self._note))

    def _note(self, record: logging.LogRecord) -> None:
        if "took" in str(record.msg):
            text = record.getMessage()
            seconds = float(re.search(r"took ([0-9.]+) seconds", text).group(1))  # type: ignore[union-attr]
            self.reports.append({"ns": int(seconds * 1e9), "lines": []})

    def stop(self) -> None:
        asyncio.get_running_loop().set_debug(False)


class _Records(logging.Handler):
    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take(record)


class Aiodebug(Detector):
    """aiodebug's log_slow_callbacks."""

    package = "aiodebug"
    not_on_uvloop = "it patches asyncio's handles, and uvloop has its own"

    def start(self) -> None:
        import aiodebug.log_slow_callbacks

        aiodebug.log_slow_callbacks.enable(self.threshold, self._note)

    def _note(self, _name: str, seconds: float) -> None:
        self.reports.append({"ns": int(seconds * 1e9), "lines": []})


class Pyleak(Detector):
    """pyleak's no_event_loop_blocking; its check interval is set to a quarter of the threshold."""

    package = "pyleak"

    def start(self) -> None:
        from pyleak.eventloop import _EventLoopBlockDetector

        self._detector = _EventLoopBlockDetector(
            logger=logging.getLogger("nobody"), threshold=self.threshold, check_interval=self.threshold / 4,
            schedule_callback=asyncio.get_running_loop().call_soon_threadsafe,
        )  # fmt: skip
        logging.getLogger("nobody").disabled = True
        self._detector.start_monitoring()

    def take(self) -> list[Report]:
        blocks, self._detector.detected_blocks = self._detector.detected_blocks, []
        reports = []
        for block in blocks:
            stack = block.blocking_stack or []
            lines = [frame.lineno for frame in reversed(stack) if frame.filename == kinds.FILE]
            reports.append({"ns": int(block.duration * 1e9), "lines": lines})
        return reports

    def stop(self) -> None:
        self._detector.stop_monitoring()


class Aiocop(Detector):
    """aiocop, with all that it can look at."""

    package = "aiocop"

    def start(self) -> None:
        import aiocop

        logging.getLogger("aiocop").disabled = True
        aiocop.patch_audit_functions()
        aiocop.start_blocking_io_detection(trace_depth=20)
        aiocop.detect_slow_tasks(threshold_ms=max(1, int(self.threshold * 1000)), on_slow_task=self._note)
        aiocop.activate()

    def _note(self, event: Any) -> None:
        if event.exceeded_threshold:
            traces = [one["trace"] + " " + one["entry_point"] for one in event.blocking_events]
            traces += [one["trace"] + " " + one["entry_point"] for one in event.cpu_stack_samples]
            lines = [line for text in traces for line in re.findall(r"kinds\.py:(\d+)", text)]
            self.reports.append({"ns": int(event.elapsed_ms * 1e6), "lines": [int(line) for line in lines]})

    def stop(self) -> None:
        import aiocop

        aiocop.deactivate()


class Blockbuster(Detector):
    """blockbuster: a call that it refuses raises at once."""

    package = "blockbuster"

    def start(self) -> None:
        import blockbuster
        import blockbuster.blockbuster as inner

        detector = self

        class Noted(inner.BlockingError):  # type: ignore[misc]  # the package is optional
            def __init__(self, func: str) -> None:
                super().__init__(func)
                lines = [f.lineno for f in reversed(traceback.extract_stack()) if f.filename == kinds.FILE]
                detector.reports.append({"ns": 0, "lines": lines})

        inner.BlockingError = Noted
        self._busters = blockbuster.BlockBuster()
        self._busters.activate()

    def stop(self) -> None:
        self._busters.deactivate()


class Livekit(Detector):
    """livekit-agents' EventLoopMonitor, with a tick of a quarter of the threshold."""

    package = "livekit-agents"

    def start(self) -> None:
        from livekit.agents.telemetry import loop_monitor

        for name in ("livekit", "livekit.agents"):
            logging.getLogger(name).disabled = True
        loop_monitor.MAX_SPANS_PER_MINUTE = 10**9
        self._monitor = loop_monitor.EventLoopMonitor(
            asyncio.get_running_loop(), warn_threshold=self.threshold, error_threshold=10, emit_spans=False,
            tick_interval=self.threshold / 4,
        )  # fmt: skip
        self._monitor._on_report = self._note  # noqa: SLF001  # what its own tests use
        self._monitor.start()

    def _note(self, report: Any) -> None:
        if report.process_descheduled:
            cause = "descheduled"
        elif report.gc_time > report.duration / 2:
            cause = "gc"
        else:
            cause = "cpu" if report.cpu_time > report.duration / 2 else "blocking-call"
        lines = [line for stack in report.stacks for line in lines_in(stack)]
        self.reports.append({"ns": int(report.duration * 1e9), "lines": lines, "cause": cause})

    def stop(self) -> None:
        self._monitor.stop()


DETECTORS: dict[str, type[Detector]] = {
    "loopstall": Loopstall,
    "asyncio debug": AsyncioDebug,
    "aiodebug": Aiodebug,
    "pyleak": Pyleak,
    "aiocop": Aiocop,
    "blockbuster": Blockbuster,
    "livekit-agents": Livekit,
    "nothing": Nothing,
}
