"""Stalls as a speedscope profile, stacks weighted by stalled time; the standard library alone."""

from collections.abc import Iterable, Sequence
import json
from typing import TYPE_CHECKING, Any

from loopstall import __version__
from loopstall.records import Frame, Stall, StallEvent
from loopstall.report.escape import json_text, printable

__all__ = ["matrix_to_speedscope", "stalls_to_speedscope"]

if TYPE_CHECKING:
    from loopstall.analysis.content import Digest
    from loopstall.report.stall_document import Session

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def matrix_to_speedscope(made: "Digest") -> str:
    """Renders one profile a cell."""
    profiles = (
        (
            f"{cell.row} · {cell.strategy}",
            [(one, one.duration_ns) for run in runs if run.measured is not None for one in run.measured.stalls],
        )
        for cell, runs in made.samples.items()
    )
    return json_text(json.dumps(_document(made.content.title, profiles))) + "\n"


def stalls_to_speedscope(session: "Session") -> str:
    """Renders one profile a test or process."""
    by_place: dict[str, list[StallEvent]] = {}
    for seen in session.summary.longest:
        by_place.setdefault(seen.test or seen.process, []).append(seen)
    profiles = [(name, [(seen.stall, seen.length_ns) for seen in some]) for name, some in by_place.items()]
    return json_text(json.dumps(_document(session.title, profiles))) + "\n"


def _document(title: str, profiles: Iterable[tuple[str, Sequence[tuple[Stall, int]]]]) -> dict[str, Any]:
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
