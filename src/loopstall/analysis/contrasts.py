"""Workloads that hold a trap against its cure: which parameter values are which, and what is compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopstall.records import Cell, Estimate, Summary

__all__ = ["CONTRASTS", "LEAST", "Contrast", "contrasted"]

LEAST = 1.5
"""The ratio of the trap's figure to the cure's, by their intervals, from which there is a finding."""

_PARAMETER = "how"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two values of a workload's parameter ``how``, the figure by which they differ, and the rule that says so."""

    trap: str
    cure: str
    figure: str
    rule: str


CONTRASTS = {
    "cancelled_thread": Contrast(
        trap="thread-goes-on", cure="asked-to-stop", figure="response_p50", rule="cancelled-thread"
    ),
    "pool_start": Contrast(trap="first-job", cure="primed", figure="response_p50", rule="pool-not-primed"),
    "executor_width": Contrast(
        trap="default-executor", cure="own-pool", figure="response_p50", rule="executor-too-narrow"
    ),
    "big_argument": Contrast(trap="argument", cure="by-path", figure="response_p50", rule="pickling-dominates"),
    "awaits": Contrast(trap="one-by-one", cure="gather", figure="response_p50", rule="awaits-in-a-row"),
    "async_generator": Contrast(trap="blocking", cure="in-a-thread", figure="lag_p99", rule="blocking-generator"),
    "lock_scope": Contrast(
        trap="across-the-await", cure="around-the-update", figure="response_p50", rule="lock-across-await"
    ),
    "checksum": Contrast(trap="pure-python", cure="native-code", figure="response_p50", rule="native-code-pays"),
    "http_download": Contrast(trap="sequential", cure="gather", figure="response_p50", rule="awaits-in-a-row"),
}


def contrasted(summaries: Sequence[Summary]) -> Iterator[tuple[Contrast, Summary, Summary, Estimate, Estimate]]:
    """Yields what is known, the trap's and the best cure's summary, and their figures, where the trap shows."""
    for item in summaries:
        contrast = CONTRASTS.get(item.cell.workload.name)
        if contrast is None or not item.runs or _how(item.cell) != contrast.trap:
            continue
        cures = [
            other
            for other in summaries
            if other.runs
            and other.cell.workload.name == item.cell.workload.name
            and other.cell.strategy == item.cell.strategy
            and _how(other.cell) == contrast.cure
        ]
        if not cures:
            continue
        cure = min(cures, key=lambda other: other[contrast.figure].value)
        theirs, ours = item[contrast.figure], cure[contrast.figure]
        if theirs.low >= LEAST * ours.high:
            yield contrast, item, cure, theirs, ours


def _how(cell: Cell) -> str:
    return str(dict(cell.params).get(_PARAMETER, ""))
