"""Stalls as a speedscope profile: stacks weighted by stalled time, one profile a cell."""

from loopstall.analysis.content import Content, digest
from loopstall.records.encoding import encode
from loopstall.report.escape import json_text
from loopstall.report.profile import speedscope_document

__all__ = ["to_speedscope"]


def to_speedscope(content: Content) -> str:
    """Renders a file that speedscope opens."""
    profiles = (
        (
            f"{cell.row} · {cell.strategy}",
            [(one, one.duration_ns) for run in runs if run.measured is not None for one in run.measured.stalls],
        )
        for cell, runs in digest(content).samples.items()
    )
    return json_text(encode(speedscope_document(content.title, profiles)).decode())
