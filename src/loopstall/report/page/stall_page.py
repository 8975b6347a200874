"""A session's stalls as a page: who blocked the loops, when, and what to do."""

from collections.abc import Sequence
import datetime as dt
from typing import Any

from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_S
from loopstall.records.units import counted, format_ns
from loopstall.report.page.cards import SHOWN, numbered, stacks_id
from loopstall.report.page.html import environment
from loopstall.report.page.icicle import flames
from loopstall.report.page.session_cards import cards_of_session
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import culprit_line, without_cpu

__all__ = ["sentence", "to_page"]

_CULPRITS = 40  # rows of the table
_LISTED = 100  # stalls told one by one
_LANES = 12  # processes that are drawn
_WIDTH = 1000  # of the drawing, in its own units
_LEAST = 1.5  # of a bar that would be too narrow to be seen
_TICKS = 5  # of the axis, with one more at its end


def sentence(session: Session) -> str:
    """Describes the session in a sentence."""
    summary = session.summary
    if not summary.count:
        return f"No event loop was blocked for over {format_ns(session.threshold_ns)}."
    broke = f" {summary.over} of them broke a budget." if summary.over else ""
    return (
        f"Event loops were blocked {counted(summary.count, 'time')}, {format_ns(summary.total_ns)} in all.{broke}"
        f" The worst line: {culprit_line(summary.culprits[0])}."
    )


def to_page(session: Session) -> str:
    """Renders a session as one self-contained page."""
    summary = session.summary
    longest = summary.longest
    cards = cards_of_session(session)
    return (
        environment()
        .get_template("stall_page.html.j2")
        .render(
            title=session.title,
            session=session,
            summary=summary,
            verdict=sentence(session),
            began=dt.datetime.fromtimestamp(session.began, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            cards=cards,
            shown=SHOWN,
            with_stacks={stacks_id(item.frame) for item in summary.culprits[:_CULPRITS]},
            card_of=numbered(cards),
            culprits=summary.culprits[:_CULPRITS],
            culprit_count=len(summary.culprits),
            flames=flames(seen.stall for seen in longest),
            drawing=_drawing(session, longest),
            listed=longest[:_LISTED],
            without_cpu=without_cpu,
        )
    )


def _drawing(session: Session, longest: Sequence[StallEvent]) -> dict[str, Any]:
    """Returns bars on lanes: one lane a process, those with the most stalls first."""
    ends = (seen.at - session.began + seen.length_ns / NS_PER_S for seen in longest)
    span = max(session.watched_ns / NS_PER_S, 1e-3, *ends)
    lanes: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in session.summary.processes.most_common(_LANES)}
    for seen in longest:
        if seen.process in lanes:
            at = max(0.0, seen.at - session.began)
            width = max(_LEAST, _WIDTH * seen.length_ns / NS_PER_S / span)
            lanes[seen.process].append({"x": round(_WIDTH * at / span, 2), "width": round(width, 2), "seen": seen})
    each = {name: [bar["seen"].length_ns for bar in bars] for name, bars in lanes.items()}
    return {
        "ticks": _ticks(session.began, span),
        "figures": {
            name: {"count": session.summary.processes[name], "longest": max(some, default=0), "total": sum(some)}
            for name, some in each.items()
        },
        "lanes": lanes,
        "count": sum(map(len, lanes.values())),
        "width": _WIDTH,
        "span_ns": span * NS_PER_S,
        "causes": sorted({seen.stall.cause for seen in longest}),
        "left": len(session.summary.processes) - len(lanes),
    }


def _ticks(began: float, span_s: float) -> list[tuple[float, str]]:
    """Returns where on the axis, in percent, a moment of the clock is written, and the moment in UTC."""
    ticks = []
    for number in range(_TICKS + 1):
        moment = dt.datetime.fromtimestamp(began + span_s * number / _TICKS, tz=dt.UTC)
        whole = f"{moment:%H:%M:%S}"
        ticks.append((100 * number / _TICKS, whole if span_s >= _TICKS else f"{whole}.{moment.microsecond // 1000:03}"))
    return ticks
