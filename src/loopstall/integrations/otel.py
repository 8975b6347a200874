"""Stalls as events of the OpenTelemetry spans that they delayed.

Example:
    >>> from loopstall.integrations.otel import StallSpanProcessor  # pip install 'loopstall[opentelemetry]'
    >>> provider.add_span_processor(StallSpanProcessor(BatchSpanProcessor(exporter)))
"""

import asyncio
from collections.abc import Callable, Iterable
import contextlib
from contextvars import Context
import logging
import os
import time
from typing import Any
import weakref

from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool
from loopstall.monitor.threads import Lock, get_ident
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_MS, NS_PER_S, now_ns

try:
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

    from loopstall.integrations.spans import (
        ExtendedSpan,
        FollowedSpan,
        HeldSpan,
        StallOnSpans,
        attributes_of,
        own_spans,
    )
except ImportError as error:
    raise ImportError("OpenTelemetry's SDK is not installed (pip install 'loopstall[opentelemetry]')") from error

__all__ = ["StallSpanProcessor"]

_LOGGER = logging.getLogger("loopstall")
_MOST_HELD = 1000  # spans of one loop, which have ended and are not handed on yet
_LEAST_HOLD_NS = 100 * NS_PER_MS
_HOLD_THRESHOLDS = 20  # a loop without work may tell of a stall as late as this


class StallSpanProcessor(SpanProcessor):
    """Adds an event to every span that a stall of its event loop delayed, and hands spans on to another processor.

    A stall is known when the loop's turn has ended, and the span that made it has often ended by then. So a span that
    took as long as a stall is handed on a moment later: after a tenth of a second, or twenty thresholds if that is
    longer. Spans that are open at the end of a stall get the event at once.

    The event is named ``loopstall.stall`` and has ``loopstall.stall.duration`` and ``.within_span`` in seconds,
    ``.cause``, ``.rule``, ``.confidence``, ``.task``, ``.label``, ``code.file.path``, ``code.line.number`` and
    ``code.function.name``. ``loopstall.stall.origin`` is ``own`` on the spans of the task that made it and those above
    them, ``elsewhere`` on the others, and ``unknown`` where that task was not seen.

    It watches every event loop of the process from when it is made until ``shutdown``.

    Args:
        inner: the processor that exports.
        threshold: seconds from which on a span of the loop without progress is a stall.

    Raises:
        ValueError: the threshold is not positive.
    """

    def __init__(self, inner: SpanProcessor, threshold: float = 0.02) -> None:
        if not threshold > 0:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        self._inner = inner
        self._threshold_ns = round(threshold * NS_PER_S)
        self._hold_ns = max(_LEAST_HOLD_NS, _HOLD_THRESHOLDS * self._threshold_ns)
        self._open: dict[int, FollowedSpan] = {}
        self._held: dict[int, list[HeldSpan]] = {}
        self._loops: dict[int, Any] = {}
        self._due: set[int] = set()
        """Threads whose loop has been asked to hand on what is held."""
        self._lock = Lock()
        self._pid = os.getpid()
        self._ended = False
        self._pool = MonitorPool(self._monitor)
        everywhere.add(self._begin, self._join)
        with contextlib.suppress(RuntimeError):
            self._join(asyncio.get_running_loop())

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Notes where a span was started."""
        try:
            if not self._ended:
                self._follow(span)
        except Exception as error:  # noqa: BLE001  # a broken observer never breaks the observed program
            self._give_up(error)
        self._inner.on_start(span, parent_context)

    def _on_ending(self, span: Span) -> None:
        """Hands on what newer SDKs say shortly before a span ends."""
        ending: Callable[[Span], None] | None = getattr(self._inner, "_on_ending", None)
        if ending is not None:
            ending(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Hands a span on: at once, or a moment later where a stall may have delayed it."""
        try:
            held = self._hold(span)
        except Exception as error:  # noqa: BLE001  # as above
            held = False
            self._give_up(error)
        if not held:
            self._inner.on_end(span)

    def shutdown(self) -> None:
        """Watches no more, hands on all spans, and shuts the inner processor down."""
        self._ended = True
        everywhere.discard(self._begin)
        self._pool.stop()
        self._hand_on_all()
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hands on all spans, also those whose turn of the loop has not ended yet, and flushes the inner processor."""
        self._hand_on_all()
        return self._inner.force_flush(timeout_millis)

    def _monitor(self) -> Monitor:
        def seen(stall: Stall) -> None:
            try:
                self._add(stall, made.started_ns + stall.start_ns)
            except Exception as error:  # noqa: BLE001  # as above
                self._give_up(error)

        made = Monitor(threshold_ns=self._threshold_ns, kept=1, on_stall=seen)
        return made

    def _begin(self, loop: Any) -> Callable[[], object]:
        end, thread = self._pool.begin(loop), get_ident()
        self._loops[thread] = loop

        def ended() -> None:
            end()
            self._loops.pop(thread, None)
            self._due.discard(thread)
            with self._lock:
                held = self._held.pop(thread, [])
            self._hand_on(held)

        return ended

    def _join(self, loop: Any) -> Callable[[], object]:
        self._loops[get_ident()] = loop
        return self._pool.join(loop)

    def _follow(self, span: Span) -> None:
        thread = get_ident()
        task = None
        if thread in self._loops:
            with contextlib.suppress(RuntimeError):  # no loop of asyncio's
                task = asyncio.current_task()
        key = span.context.span_id

        def forget(_reference: object) -> None:
            self._open.pop(key, None)

        self._open[key] = FollowedSpan(
            weakref.ref(span, forget),  # a program may never end it
            thread,
            id(task) if task is not None else 0,
            task.get_name() if task is not None else "",
            span.parent.span_id if span.parent is not None else 0,
            span.start_time or 0,
        )

    def _hold(self, span: ReadableSpan) -> bool:
        """Keeps a span that has ended for a moment, where a stall may have delayed it; returns whether it does."""
        followed = self._open.pop(span.context.span_id, None)
        if followed is None or self._ended or (span.end_time or 0) - followed.start_ns < self._threshold_ns:
            return False
        loop: Any = self._loops.get(followed.thread)
        if followed.thread != get_ident() or not hasattr(loop, "call_later") or not loop.is_running():
            return False
        with self._lock:
            self._forget_parents()
            held = self._held.setdefault(followed.thread, [])
            if len(held) >= _MOST_HELD:
                return False
            held.append(HeldSpan(span, followed))
        if followed.thread not in self._due:
            self._come_again(loop, followed.thread)
        return True

    def _come_again(self, loop: Any, thread: int) -> None:
        self._due.add(thread)
        loop.call_later(self._hold_ns / NS_PER_S, self._hand_on_old, loop, thread, context=Context())

    def _forget_parents(self) -> None:
        """Leaves to the parent of a forked process what it holds, for it hands that on itself."""
        if self._pid != os.getpid():
            self._pid, self._held = os.getpid(), {}

    def _hand_on_old(self, loop: Any, thread: int) -> None:
        """Hands on what has been held for long enough, and comes again for the rest; called by the loop."""
        before_ns = time.time_ns() - self._hold_ns
        with self._lock:
            held = self._held.pop(thread, [])
            rest = [one for one in held if (one.span.end_time or 0) > before_ns]
            if rest:
                self._held[thread] = rest
        self._due.discard(thread)
        if rest:
            self._come_again(loop, thread)
        self._hand_on(one for one in held if (one.span.end_time or 0) <= before_ns)

    def _hand_on_all(self) -> None:
        with self._lock:
            self._forget_parents()
            held, self._held = self._held, {}
        self._hand_on(one for spans in held.values() for one in spans)

    def _hand_on(self, held: Iterable[HeldSpan]) -> None:
        for one in held:
            self._inner.on_end(ExtendedSpan(one.span, one.events) if one.events else one.span)

    def _add(self, stall: Stall, began_ns: int) -> None:
        """Adds a stall to the spans of this thread that it delayed; called in the loop's thread, at its end."""
        thread = get_ident()
        start_ns = time.time_ns() - (now_ns() - began_ns)
        held = self._held.get(thread, [])
        spans = {key: one for key, one in self._open.copy().items() if one.thread == thread}
        known = spans | {one.span.context.span_id: one.followed for one in held}
        met = StallOnSpans(
            about=attributes_of(stall),
            own=own_spans(stall, known, self._loops.get(thread)),
            start_ns=start_ns,
            end_ns=start_ns + stall.duration_ns,
            least_ns=self._threshold_ns // 2,
        )
        for key, one in spans.items():
            span, event = one.span(), met.event_on(key, one)
            if span is not None and event is not None and span.is_recording():
                span.add_event(event.name, event.attributes, event.timestamp)
        for done in held:
            event = met.event_on(done.span.context.span_id, done.followed, done.span.end_time)
            if event is not None:
                done.events.append(event)

    def _give_up(self, error: Exception) -> None:
        """Adds no more events, says so once, and goes on handing spans on."""
        if not self._ended:
            self._ended = True
            _LOGGER.warning("no more stalls are added to spans: %s: %s", type(error).__name__, error)
