"""The content of a report, and its digest: everything that the formats show, worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loopstall.analysis.diagnosis import Diagnosis, diagnose
from loopstall.analysis.summary import Budgets, samples, summarise
from loopstall.records import Cell, Plan, Run, Skipped, Summary, Trend, Verdict

__all__ = ["Content", "Digest", "digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Runs, plan and verdicts that a report is made of.

    Args:
        title: the report's heading.
        runs: the measured runs; of a gate, the candidate's.
        plan: the plan of them, where it is known.
        skipped: cells that were left out, where there is no plan that says so.
        budgets: the limits beyond which a cell is a trap.
        warnings: files that could not be read.
        verdicts: the verdicts of a gate.
        baselines: the runs of the gate's other side.
        trends: figures over commits.
        notes: sentences about a gate's comparison as a whole.
        gated: true for a gate, also where it has no verdict.
        inconclusive_fails: whether a cell that a gate could not judge counts as an error.
        root: the checkout to which paths in annotations are relative; the working directory for None.
    """

    title: str
    runs: Sequence[Run]
    plan: Plan | None = None
    skipped: Sequence[Skipped] = ()
    budgets: Budgets = field(default_factory=Budgets)
    warnings: Sequence[str] = ()
    verdicts: Sequence[Verdict] = ()
    baselines: Sequence[Run] = ()
    trends: Sequence[Trend] = ()
    notes: Sequence[str] = ()
    gated: bool = False
    inconclusive_fails: bool = True
    root: Path | None = None

    @property
    def judged(self) -> bool:
        """True where a gate has judged the runs, or has found none to judge."""
        return self.gated or bool(self.verdicts)

    @property
    def complete(self) -> bool:
        """True where every run of the plan is there."""
        plan = self.plan
        return plan is None or bool(self.verdicts) or len(self.runs) >= len(plan.cells) * plan.processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A content summed up once for all formats: samples and summaries in the plan's order, diagnoses worst first.

    ``restored`` is true where it was read from a report, which has the figures and findings, and no runs.
    """

    content: Content
    samples: dict[Cell, list[Run]]
    summaries: tuple[Summary, ...]
    skipped: tuple[Skipped, ...]
    diagnoses: tuple[Diagnosis, ...]
    restored: bool = False


def digest(content: Content) -> Digest:
    """Sums a content up."""
    grouped = samples(content.runs)
    cells = list(content.plan.cells) if content.plan is not None else []
    known = set(cells)
    order = [*[cell for cell in cells if cell in grouped], *[cell for cell in grouped if cell not in known]]
    ordered = {cell: grouped[cell] for cell in order}
    summaries = tuple(summarise(cell, runs, content.budgets.of(cell)) for cell, runs in ordered.items())
    return Digest(
        content=content,
        samples=ordered,
        summaries=summaries,
        skipped=content.plan.skipped if content.plan is not None else tuple(content.skipped),
        diagnoses=tuple(diagnose(summaries, ordered, content.budgets)),
    )
