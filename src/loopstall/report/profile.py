"""Stacks weighted by time, in the form that speedscope opens; the standard library alone."""

from collections.abc import Iterable, Sequence
from typing import Any

from loopstall import __version__
from loopstall.records import Frame, Stall
from loopstall.report.text import printable

__all__ = ["speedscope_document"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def speedscope_document(title: str, profiles: Iterable[tuple[str, Sequence[tuple[Stall, int]]]]) -> dict[str, Any]:
    """Returns a document of speedscope's; a stall without a stack is a frame of its own.

    Args:
        title: of the document.
        profiles: (name, stalls and how much of each counts in ns); those without stalls are left out.
    """
    frames: dict[Frame | None, int] = {}
    made = [_profile(name, stalls, frames) for name, stalls in profiles if stalls]
    return {
        "$schema": _SCHEMA,
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": made or [_profile("no stall was seen", (), frames)],
        "name": printable(title),
        "activeProfileIndex": 0,
        "exporter": f"loopstall@{__version__}",
    }


def _profile(name: str, stalls: Sequence[tuple[Stall, int]], frames: dict[Frame | None, int]) -> dict[str, object]:
    return {
        "type": "sampled",
        "name": printable(name),
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weight for _, weight in stalls),
        "samples": [
            [frames.setdefault(frame, len(frames)) for frame in (stall.stack[::-1] or (stall.culprit,))]
            for stall, _ in stalls
        ],
        "weights": [weight for _, weight in stalls],
    }


def _frame(frame: Frame | None) -> dict[str, object]:
    if frame is None:
        return {"name": "no stack was seen"}
    return {"name": printable(frame.function), "file": printable(frame.file), "line": frame.line}
