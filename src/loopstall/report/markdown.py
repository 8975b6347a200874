"""Markdown for a comment or a job's summary: of a matrix, and of a gate's verdicts."""

from loopstall.analysis.content import Digest
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.analysis.told import change
from loopstall.records import BROKEN, Summary, Verdict
from loopstall.records.units import counted, format_ns, format_value
from loopstall.report.escape import markdown_text, printable
from loopstall.report.text import place, remarks, verdict
from loopstall.report.verdict_text import explained, left_out, ordered, sentence

__all__ = ["gate_to_markdown", "matrix_to_markdown"]

_SIGNS = {"failed": "💥", "regressed": "❌", BROKEN: "❔", "inconclusive": "❔", "improved": "🚀", "ok": "✅"}
_DETAILED = 10
_WORST = 10
_LIMIT = 65_536  # characters of a comment on GitHub
_HEAD = ("| workload | strategy | jobs/s | p99 lag | longest stall | availability | |", "|---|---|---|---|---|---|---|")
_LONGEST = 400  # characters of one field
_FENCE = "`" * 3


def matrix_to_markdown(made: Digest) -> str:
    """Renders the verdict, the ten worst findings and a table that unfolds, in what a comment may hold."""
    parts = [f"### loopstall: {_short(verdict(made.summaries))}", ""]
    parts += [_short(text) for text in made.content.warnings[:_WORST]]
    parts += [f"\n{_short(text)}\n" for text in (*made.content.notes, *remarks(made.content.runs))]
    parts += [_finding(item) for item in made.diagnoses[:_WORST]]
    if len(made.diagnoses) > _WORST:
        parts.append(f"\n{counted(len(made.diagnoses) - _WORST, 'more finding')}.")
    head = ["", f"<details><summary>{counted(len(made.summaries), 'cell')}</summary>", "", *_HEAD]
    tail = "\n\n</details>\n"
    room = _LIMIT - sum(len(part) + 1 for part in (*parts, *head)) - len(tail) - 100
    rows: list[str] = []
    for number, item in enumerate(made.summaries):
        row = _matrix_row(item)
        room -= len(row) + 1
        if room < 0:
            rows.append(f"\n{counted(len(made.summaries) - number, 'more row')} left out, for lack of space.")
            break
        rows.append(row)
    return "\n".join([*parts, *head, *rows]) + tail


def _finding(item: Diagnosis) -> str:
    where = f" `{_code(place(item.culprit))}`" if item.culprit is not None else ""
    cells = [str(cell.strategy) for cell in (item.cell, *item.others) if cell is not None]
    name = f" {_short(item.cell.row)} · {', '.join(map(_short, cells))}:" if item.cell is not None else ""
    better = "".join(f" {_short(text)}." for text in (item.better, item.alternative) if text)
    return f"- **{item.rule.title}**:{name} {_short(item.measured)}.{where} {item.advice}{better}"


def _matrix_row(item: Summary) -> str:
    name = (_short(item.cell.row), _short(str(item.cell.strategy)))
    if not item.runs:
        said = item.error.kind if item.error is not None else "nothing"
        return f"| {name[0]} | {name[1]} | | | | | ✗ {_short(said)} |"
    figures = (
        format_value(item["throughput"].value, "1/s"),
        format_ns(item["lag_p99"].value),
        format_ns(item["longest_stall"].value) if item["longest_stall"].value else "none",
        format_value(item["availability"].value, "share"),
        "▲ trap" if item.trap else "",
    )
    return "| " + " | ".join((*name, *figures)) + " |"


def _short(text: str) -> str:
    return markdown_text(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _code(text: str) -> str:
    return printable(text)[:_LONGEST].replace("`", "'")


def gate_to_markdown(made: Digest, *, limit_bytes: int = _LIMIT - 536) -> str:
    """Renders a table of all cells, the worst first, and the ten worst in full.

    Args:
        made: the content with a gate's verdicts.
        limit_bytes: of the whole text; rows that do not fit are counted instead.
    """
    verdicts, notes = made.content.verdicts, (*made.content.notes, *left_out(made.skipped))
    worst = ordered(verdicts)
    parts = [f"### loopstall gate: {sentence(verdicts)}", *(f"\n{markdown_text(note)}" for note in notes), ""]
    parts += ["| | workload | strategy | verdict | time per job |", "|---|---|---|---|---|"]
    room = limit_bytes // 2
    for number, item in enumerate(worst):
        row = _gate_row(item)
        room -= len(row.encode()) + 1
        if room < 0:
            parts.append(f"\n{counted(len(worst) - number, 'more row')} left out, for lack of space.")
            break
        parts.append(row)
    for item, name, told in explained(verdicts)[:_DETAILED]:
        text = told[: limit_bytes // 100].replace(_FENCE, "'''")
        parts += ["", f"**{markdown_text(name)}**: {item.verdict}", f"{_FENCE}text", text, _FENCE]
    return "\n".join(parts) + "\n"


def _gate_row(item: Verdict) -> str:
    time = next((change(finding) for finding in item.findings if finding.metric == "time_per_job"), "")
    word = f"{item.verdict} (accepted)" if item.accepted else item.verdict
    cells = (_SIGNS.get(item.verdict, ""), item.row, item.strategy, word, time.removeprefix("time per job "))
    return "| " + " | ".join(map(markdown_text, cells)) + " |"
