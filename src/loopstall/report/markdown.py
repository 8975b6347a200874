"""The gate's verdicts as Markdown, for a job's summary or a comment."""

from collections.abc import Sequence

from loopstall.records import Verdict
from loopstall.report.escape import markdown_text
from loopstall.report.verdict_text import change, detail, ordered, sentence

__all__ = ["to_markdown"]

_SIGNS = {"failed": "💥", "regressed": "❌", "inconclusive": "❔", "improved": "🚀", "ok": "✅"}
_DETAILED = 10
_FENCE = "`" * 3


def to_markdown(verdicts: Sequence[Verdict], *, notes: Sequence[str] = (), limit_bytes: int = 900_000) -> str:
    """Renders a table of all cells, the worst first, and the ten worst in full.

    Args:
        verdicts: a matrix.
        notes: sentences about the comparison as a whole.
        limit_bytes: of the whole text; rows that do not fit are counted instead.
    """
    worst = ordered(verdicts)
    parts = [f"### loopstall gate: {sentence(verdicts)}", *(f"\n{markdown_text(note)}" for note in notes), ""]
    parts += ["| | workload | strategy | verdict | time per job |", "|---|---|---|---|---|"]
    room = limit_bytes // 2
    for number, item in enumerate(worst):
        row = _row(item)
        room -= len(row.encode()) + 1
        if room < 0:
            parts.append(f"\n{len(worst) - number} more rows do not fit here.")
            break
        parts.append(row)
    for item in [item for item in worst if item.verdict in {"failed", "regressed", "inconclusive"}][:_DETAILED]:
        text = detail(item)[: limit_bytes // 100].replace(_FENCE, "'''")
        parts += ["", f"**{markdown_text(item.name)}**: {item.verdict}", f"{_FENCE}text", text, _FENCE]
    return "\n".join(parts) + "\n"


def _row(item: Verdict) -> str:
    time = next((change(finding) for finding in item.findings if finding.metric == "time_per_job"), "")
    word = f"{item.verdict} (accepted)" if item.accepted else item.verdict
    cells = (_SIGNS.get(item.verdict, ""), item.row, item.strategy, word, time.removeprefix("time per job "))
    return "| " + " | ".join(map(markdown_text, cells)) + " |"
