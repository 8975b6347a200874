"""A live view as JSON, for the page that shows it; the standard library alone."""

import json
from typing import Any

from loopstall.analysis.culprits import Culprit
from loopstall.analysis.live import LiveView, LoopView
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.records import StallEvent
from loopstall.report.escape import json_text
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_text import blamed, spot
from loopstall.report.text import printable

__all__ = ["live_json"]


def live_json(view: LiveView) -> str:
    """Renders a view as JSON; times in ns, lags by second with the newest last."""
    plain = {
        "title": printable(view.title),
        "at": view.at,
        "watched_ns": view.watched_ns,
        "threshold_ns": view.threshold_ns,
        "count": view.count,
        "total_ns": view.total_ns,
        "longest_ns": view.longest_ns,
        "loops": [_loop(one) for one in view.loops],
        "culprits": [_culprit(one) for one in view.culprits],
        "latest": [_stall(one) for one in view.latest],
        "notes": [printable(one) for one in view.notes],
    }
    return json_text(json.dumps(plain)) + "\n"


def _loop(loop: LoopView) -> dict[str, Any]:
    blocked = loop.blocked
    return {
        "process": printable(loop.process),
        "thread": printable(loop.thread),
        "runs": loop.runs,
        "floor_ns": loop.floor_ns,
        "now_ns": loop.now_ns,
        "worst_ns": loop.longest_ns,
        "lags_ns": loop.lags_ns,
        "blocked": {**_stall(blocked.seen), "length_ns": blocked.for_ns} if blocked is not None else None,
    }


def _stall(seen: StallEvent) -> dict[str, Any]:
    stall, frame = seen.stall, seen.blamed
    return {
        "at": seen.at,
        "length_ns": seen.length_ns,
        "cause": printable(stall.cause),
        "place": printable(spot(seen)),
        "source": printable(source_line(frame.file, frame.line)) if frame is not None else "",
        "during": printable(stall.label or stall.task),
        "process": printable(seen.process),
        "thread": printable(seen.thread),
    }


def _culprit(item: Culprit) -> dict[str, Any]:
    longest, frame = item.longest, item.frame
    return {
        "place": blamed(item.blame),
        "source": printable(source_line(frame.file, frame.line)) if frame is not None else "",
        "during": printable(longest.label or longest.task) if longest is not None and frame is not None else "",
        "cause": printable(item.cause),
        "advice": printable(rule_of(item.cause, gil=longest is None or had_gil(longest)).advice),
        "count": item.count,
        "total_ns": item.total_ns,
        "longest_ns": item.longest_ns,
    }
