"""Every detector behind one face: ``start`` within the running loop, ``take`` what it has reported since.

A report is a dictionary with ``ns``, how long, ``at_ns``, when it came, and what else the detector tells: ``places``,
the lines of the kinds' files that it blames, innermost first; ``stack``, whether it has any; ``cause``; of another
thread that held the GIL ``holder_places`` and ``holder_thread``; ``glimpses``, the place at each look.
"""

import asyncio
from collections.abc import Callable, Iterable
import importlib.metadata
import inspect
import logging
import re
import time
import traceback
from typing import Any

import kinds

Report = dict[str, Any]


def places_in(text: str) -> list[str]:
    """Returns the lines of the kinds' files that a formatted stack names, innermost first."""
    found = re.findall(rf'({re.escape(str(kinds.FOLDER))}/\w+\.py)(?:", line |:)(\d+)', text)
    return [place for file, line in reversed(found) if (place := kinds.place(file, int(line)))]


class Detector:
    """One detector; ``package`` is its name on PyPI, "" where it is Python's or ours.

    ``not_on_uvloop`` says why it can see nothing there, "" where it can.
    """

    package = ""
    not_on_uvloop = ""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.reports: list[Report] = []

    def report(self, ns: int, places: list[str], **more: Any) -> None:
        """Notes a report, at this moment."""
        self.reports.append({"ns": ns, "places": places, "at_ns": time.perf_counter_ns(), **more})

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


def _places(frames: Iterable[Any]) -> list[str]:
    """Returns those of frames that are in the kinds' files."""
    return [place for frame in frames if (place := kinds.place(frame.file, frame.line))]


class Loopstall(Detector):
    """Ours."""

    def start(self) -> None:
        from loopstall import watch  # each process imports the one that it measures

        known = inspect.signature(watch).parameters
        hangs: dict[str, Any] = {"on_hang": self._note_hang} if "on_hang" in known else {}
        self._watch = watch(self.threshold, on_stall=self._note, **hangs)
        self._watch.__enter__()

    def _note_hang(self, *_: Any) -> None:
        self.report(0, [])

    def _note(self, stall: Any) -> None:
        blamed = [stall.culprit] if stall.culprit is not None else []
        holder = [stall.holder] if stall.holder is not None else []
        self.report(
            stall.duration_ns, _places([*blamed, *stall.stack]), cause=stall.cause, stack=bool(stall.stack or blamed),
            holder_places=_places(holder), holder_thread=stall.holder_thread, rule=stall.rule,
            glimpses=[(_places([one.culprit]) or [""])[0] for one in stall.glimpses if one.culprit is not None],
            culprit=str(stall.culprit), holder=f"{stall.holder_thread} {stall.holder}", evidence=str(stall.evidence),
        )  # fmt: skip

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
            self.report(int(seconds * 1e9), [])

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
        self.report(int(seconds * 1e9), [])


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
        for block in blocks:
            named = [kinds.place(frame.filename, frame.lineno) for frame in reversed(block.blocking_stack or [])]
            self.report(int(block.duration * 1e9), [place for place in named if place])
        return super().take()

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
            files = "|".join(path.name for path in kinds.FOLDER.glob("*.py"))
            places = [place for text in traces for place in re.findall(rf"\b(?:{files}):\d+", text)]
            self.report(int(event.elapsed_ms * 1e6), places)

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
                named = [kinds.place(f.filename, f.lineno or 0) for f in reversed(traceback.extract_stack())]
                detector.report(0, [place for place in named if place])

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
        places = [place for stack in report.stacks for place in places_in(stack)]
        self.report(int(report.duration * 1e9), places, cause=cause)

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
