"""The list of all results in a folder: verdict and date of each, with a link to its page."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from loopstall.analysis.content import Digest
from loopstall.report.page.html import environment
from loopstall.report.text import verdict
from loopstall.report.verdict_text import gate_sentence

__all__ = ["IndexEntry", "entry_of", "to_index"]


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the list; times in ISO 8601, UTC."""

    kind: str
    verdict: str
    measured_at: str
    cells: int
    bad: bool
    commit: str = ""
    machine: str = ""


def entry_of(made: Digest) -> IndexEntry:
    """Sums a result up for the list."""
    content = made.content
    known = next((run.environment for run in content.runs if run.environment is not None), None)
    gated = bool(content.verdicts)
    failing = {item.verdict for item in content.verdicts if not item.accepted} & {"failed", "regressed"}
    began = [run.started_at for run in content.runs]
    return IndexEntry(
        kind="gate" if gated else "matrix",
        verdict=gate_sentence(content.verdicts) if gated else verdict(made.summaries),
        measured_at=content.plan.created_at if content.plan is not None else min(began, default=""),
        cells=len(made.summaries),
        bad=bool(failing) if gated else any(item.trap or item.error is not None for item in made.summaries),
        commit=(known.commit or "") if known is not None else "",
        machine=f"{known.cpu}, {known.cores} cores, Python {known.python}" if known is not None else "",
    )


def to_index(entries: Mapping[str, IndexEntry], *, pages: AbstractSet[str]) -> str:
    """Renders the list, the newest first.

    Args:
        entries: by the name of the folder.
        pages: of which of them there is a page.
    """
    newest = sorted(entries.items(), key=lambda item: item[1].measured_at, reverse=True)
    return environment().get_template("index.html.j2").render(title="Results", entries=newest, pages=pages)
