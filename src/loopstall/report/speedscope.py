"""Stalls as a speedscope profile: stacks weighted by stalled time, one profile a cell."""

from collections.abc import Sequence

import msgspec

from loopstall import __version__
from loopstall.records import Cell, Frame, Run
from loopstall.report.content import Content, digest
from loopstall.report.text import printable

__all__ = ["to_speedscope"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def to_speedscope(content: Content) -> str:
    """Renders a file that speedscope opens; a stall without a stack is a frame of its own."""
    frames: dict[Frame | None, int] = {}
    profiles = [
        profile
        for cell, runs in digest(content).samples.items()
        if (profile := _profile(cell, runs, frames)) is not None
    ]
    if not profiles:
        profiles.append(_sampled("no stall was seen", [], []))
    return msgspec.json.encode(
        {
            "$schema": _SCHEMA,
            "shared": {"frames": [_frame(frame) for frame in frames]},
            "profiles": profiles,
            "name": printable(content.title),
            "activeProfileIndex": 0,
            "exporter": f"loopstall@{__version__}",
        }
    ).decode()


def _profile(cell: Cell, runs: Sequence[Run], frames: dict[Frame | None, int]) -> dict[str, object] | None:
    stalls = [stall for run in runs if run.measured is not None for stall in run.measured.stalls]
    samples = [
        [frames.setdefault(frame, len(frames)) for frame in (stall.stack[::-1] or (stall.culprit,))] for stall in stalls
    ]
    weights = [stall.duration_ns for stall in stalls]
    return _sampled(printable(f"{cell.row} · {cell.strategy}"), samples, weights) if stalls else None


def _sampled(name: str, samples: list[list[int]], weights: list[int]) -> dict[str, object]:
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }


def _frame(frame: Frame | None) -> dict[str, object]:
    if frame is None:
        return {"name": "no stack was seen"}
    return {"name": printable(frame.function), "file": printable(frame.file), "line": frame.line}
