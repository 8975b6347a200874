"""A matrix for a pull request, a CI server and annotations: Markdown, JUnit and GitHub's workflow commands."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from loopstall.analysis.content import Content, Digest, digest
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.records import Cell, Summary
from loopstall.records.units import format_ns, format_value
from loopstall.report.escape import github_command, markdown_text, paragraph
from loopstall.report.text import place, printable, remarks, verdict

__all__ = ["matrix_to_github", "matrix_to_junit", "matrix_to_markdown"]

_WORST = 10
_LIMIT = 65_536  # characters of a comment on GitHub
_HEAD = ("| workload | strategy | jobs/s | p99 lag | longest stall | availability | |", "|---|---|---|---|---|---|---|")
_LONGEST = 400  # characters of one field


def matrix_to_markdown(content: Content) -> str:
    """Renders the verdict, the ten worst findings and a table that unfolds, in what a comment may hold."""
    made = digest(content)
    parts = [f"### loopstall: {_short(verdict(made.summaries))}", ""]
    parts += [_short(text) for text in content.warnings[:_WORST]]
    parts += [f"\n{_short(text)}\n" for text in remarks(content.runs)]
    parts += [_finding(item) for item in made.diagnoses[:_WORST]]
    if len(made.diagnoses) > _WORST:
        parts.append(f"\n{len(made.diagnoses) - _WORST} findings more.")
    head = ["", f"<details><summary>{len(made.summaries)} cells</summary>", "", *_HEAD]
    tail = "\n\n</details>\n"
    room = _LIMIT - sum(len(part) + 1 for part in (*parts, *head)) - len(tail) - 100
    rows: list[str] = []
    for number, item in enumerate(made.summaries):
        row = _row(item)
        room -= len(row) + 1
        if room < 0:
            rows.append(f"\n{len(made.summaries) - number} more rows do not fit here.")
            break
        rows.append(row)
    return "\n".join([*parts, *head, *rows]) + tail


def matrix_to_junit(content: Content) -> str:
    """Renders a test case a cell: a trap is a failure, a cell that failed an error, one left out skipped."""
    made = digest(content)
    suites = ET.Element("testsuites", name="loopstall")
    suite = ET.SubElement(suites, "testsuite", name=printable(content.title))
    counts = {"tests": len(made.summaries) + len(made.skipped), "failures": 0, "errors": 0, "skipped": 0}
    for item in made.summaries:
        case = _case(suite, item.cell)
        if item.error is not None:
            counts["errors"] += 1
            said = ET.SubElement(case, "error", message=printable(item.error.message), type=printable(item.error.kind))
            said.text = paragraph(item.error.detail)
        elif item.trap:
            counts["failures"] += 1
            said = ET.SubElement(case, "failure", message=printable(item.why), type="trap")
            said.text = _told(item, made)
    for left in made.skipped:
        case = _case(suite, left.cell)
        ET.SubElement(case, "skipped", message=printable(left.reason))
        counts["skipped"] += 1
    for name, count in counts.items():
        suite.set(name, str(count))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, cell: Cell) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=printable(cell.row), name=printable(str(cell.strategy)))


def matrix_to_github(content: Content, *, root: Path) -> str:
    """Renders an annotation for each of the ten worst traps and failures.

    Args:
        content: what was measured.
        root: the checkout, to which the paths are relative.
    """
    bad = [item for item in digest(content).diagnoses if item.cell is not None and item.weight[0] < 2]  # noqa: PLR2004
    return "".join(f"{_annotation(item, root)}\n" for item in bad[:_WORST])


def _annotation(item: Diagnosis, root: Path) -> str:
    assert item.cell is not None  # those without a cell are left out
    file = item.culprit.file if item.culprit is not None else item.cell.workload.path
    line = item.culprit.line if item.culprit is not None else None
    title = f"{item.rule.name}: {item.cell.row} · {item.cell.strategy}"
    return github_command(
        "error" if item.rule.name == "failed" else "warning",
        f"{item.rule.title}: {item.measured}. {item.rule.advice}",
        file=file, line=line, title=title, root=root,
    )  # fmt: skip


def _finding(item: Diagnosis) -> str:
    where = f" `{_code(place(item.culprit))}`" if item.culprit is not None else ""
    cells = [str(cell.strategy) for cell in (item.cell, *item.others) if cell is not None]
    name = f" {_short(item.cell.row)} · {', '.join(map(_short, cells))}:" if item.cell is not None else ""
    better = f" {_short(item.better)}." if item.better else ""
    return f"- **{item.rule.title}**:{name} {_short(item.measured)}.{where} {item.rule.advice}{better}"


def _row(item: Summary) -> str:
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


def _told(item: Summary, made: Digest) -> str:
    lines: list[str] = [place(item.culprit)] if item.culprit is not None else []
    for found in _of(item, made.diagnoses):
        lines += [f"{found.rule.name}: {found.rule.cause} {found.rule.advice}", found.better, found.command]
    return "\n".join(map(printable, filter(None, lines)))


def _of(item: Summary, diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    return [found for found in diagnoses if item.cell in (found.cell, *found.others)]


def _short(text: str) -> str:
    return markdown_text(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _code(text: str) -> str:
    return printable(text)[:_LONGEST].replace("`", "'")
