"""The spans of OpenTelemetry that a stall has met: what is kept of them, whose stall it was, and what an event says."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
import weakref

from opentelemetry import trace
from opentelemetry.sdk.trace import Event, ReadableSpan, Span

from loopstall.analysis.confidence import confidence_of
from loopstall.records import DESCHEDULED, Stall
from loopstall.records.clock import NS_PER_S

__all__ = ["EVENT_NAME", "ExtendedSpan", "FollowedSpan", "HeldSpan", "StallOnSpans", "attributes_of", "own_spans"]

EVENT_NAME = "loopstall.stall"
"""The name of the events."""

_MOST_EVENTS = 32  # on one span, which takes 128 by default: the program's own are not to be pushed out
_NOT_ITS_OWN = {DESCHEDULED, "gil-wait"}
"""Causes that are no matter of the callback which the loop happened to run."""


@dataclass(slots=True)
class FollowedSpan:
    """A span that was started: the thread and the task in which it was, and the span above it."""

    span: "weakref.ref[Span]"
    thread: int
    task_id: int
    task: str
    parent: int
    start_ns: int
    added: int = 0


@dataclass(slots=True)
class HeldSpan:
    """A span that has ended and may get an event yet: the turn of the loop in which it ended may be a stall."""

    span: ReadableSpan
    followed: FollowedSpan
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StallOnSpans:
    """A stall, as far as spans are concerned; times in ns since 1970.

    Args:
        about: the attributes that are the same on every span.
        own: the spans whose stall it is, None where that was not seen.
        start_ns: when it began.
        end_ns: when it ended.
        least_ns: how much of it is to fall into a span for it to be worth an event there.
    """

    about: Mapping[str, Any]
    own: set[int] | None
    start_ns: int
    end_ns: int
    least_ns: int

    def event_on(self, key: int, span: FollowedSpan, ended_ns: int | None = None) -> Event | None:
        """Returns the event for a span, None where the stall hardly touched it, or where it has enough of them."""
        start_ns = max(self.start_ns, span.start_ns)
        within_ns = min(self.end_ns, ended_ns or self.end_ns) - start_ns
        if within_ns < self.least_ns or span.added >= _MOST_EVENTS:
            return None
        span.added += 1
        origin = "unknown" if self.own is None else "own" if key in self.own else "elsewhere"
        attributes = {
            **self.about,
            "loopstall.stall.within_span": within_ns / NS_PER_S,
            "loopstall.stall.origin": origin,
        }
        return Event(EVENT_NAME, attributes, start_ns)


class ExtendedSpan(ReadableSpan):
    """A span that has ended, with events that became known later.

    Args:
        span: what was ended.
        events: those to add.
    """

    def __init__(self, span: ReadableSpan, events: Iterable[Event]) -> None:
        super().__init__(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            events=[*span.events, *events],
            links=span.links,
            kind=span.kind,
            status=span.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._before = span

    @property
    def dropped_attributes(self) -> int:
        """The number of attributes over the limit."""
        return self._before.dropped_attributes

    @property
    def dropped_events(self) -> int:
        """The number of events over the limit."""
        return self._before.dropped_events

    @property
    def dropped_links(self) -> int:
        """The number of links over the limit."""
        return self._before.dropped_links


def attributes_of(stall: Stall) -> dict[str, Any]:
    """Returns what all events of a stall have, by the semantic conventions for code where these have a name for it."""
    frame = stall.holder or stall.culprit
    about: dict[str, Any] = {
        "loopstall.stall.duration": stall.duration_ns / NS_PER_S,
        "loopstall.stall.cause": stall.cause,
        "loopstall.stall.rule": stall.rule,
        "loopstall.stall.confidence": confidence_of(stall),
        "loopstall.stall.task": stall.task,
        "loopstall.stall.label": stall.label,
    }
    if frame is not None:
        about |= {"code.file.path": frame.file, "code.line.number": frame.line, "code.function.name": frame.function}
    return {name: value for name, value in about.items() if value != ""}


def own_spans(stall: Stall, known: Mapping[int, FollowedSpan], loop: Any) -> set[int] | None:
    """Returns the spans of the tasks that made a stall, and those above them; None where that was not seen."""
    if stall.cause in _NOT_ITS_OWN:
        return set()
    names = {name for name in (stall.task, *(part.task for part in stall.parts)) if name}
    if not names:
        return None
    found: set[int] = set()
    for name in names:
        spans = {key: one for key, one in known.items() if one.task == name}
        if len({one.task_id for one in spans.values()}) > 1:  # tasks may share a name
            return None
        current = None if spans else _current_span(name, loop)
        if not spans and current is None:
            return None
        found |= set(spans) if spans else {current or 0}
    for key in tuple(found):
        above = known.get(key)
        while above is not None and above.parent in known and above.parent not in found:
            found.add(above.parent)
            above = known.get(above.parent)
    return found


def _current_span(name: str, loop: Any) -> int | None:
    """Returns the span that a task without one of its own works in, 0 for no span, None where nobody can tell."""
    tasks = [task for task in asyncio.all_tasks(loop) if task.get_name() == name] if hasattr(loop, "call_later") else []
    if len(tasks) != 1 or not hasattr(tasks[0], "get_context"):  # new in Python 3.12
        return None
    try:
        span: trace.Span = tasks[0].get_context().run(trace.get_current_span)
    except RuntimeError:  # it is being run
        return None
    return span.get_span_context().span_id
