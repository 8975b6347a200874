"""What is printed of a detector: its figures, the causes by kind, and what was wrong with ours."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring import Record, Scores, matched, right_cause, right_line, share  # its folder is no package

Result = dict[str, Any]
"""What was measured of one detector on one loop, as ``--save`` keeps it."""
_WIDE = 40
_LONGEST = 200
RUNS = {"quiet": "by kind", "busy": "by kind, on a busy machine", "cold": "by kind, first stalls of fresh processes"}


def heading(result: Result) -> str:
    """Returns the line above a detector's figures."""
    where = " in another thread" if result["thread"] else ""
    name = " ".join(filter(None, (result["detector"], result["version"])))
    return f"{name} on {result['loop']}{where}, Python {result['python']}"


def row(figure: str, value: str) -> str:
    """Returns the line of a figure."""
    return f"  {figure:{_WIDE}} {value}"


def lines(result: Result) -> Iterator[str]:
    """Yields what the records of a result come to, a line each."""
    scores = Scores(result["records"], result["threshold_ms"], has_gil=result["has_gil"])
    for figure, value in scores.figures().items():
        yield row(figure, value)
    for run, label in RUNS.items():
        if scores.stalls(run):
            yield f"  {label}: found; right line; right cause, and the causes told"
            yield from by_kind(scores.stalls(run))
    if result["detector"] == "loopstall":
        wrong = [line for run in RUNS for line in what_was_wrong(scores.stalls(run))]
        if wrong:
            yield "  what was wrong:"
        yield from (line[:_LONGEST] for line in wrong)


def by_kind(records: list[Record]) -> Iterator[str]:
    """Yields a line for each kind: what was found and named, and which causes were told."""
    for kind in dict.fromkeys(record["kind"] for record in records):
        mine = [record for record in records if record["kind"] == kind]
        found = [(record, report) for record in mine if (report := matched(record))]
        causes = Counter(report["cause"] for _, report in found if report.get("cause"))
        told = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
        cause = share(right_cause(r, m) for r, m in found if m.get("cause"))
        line = _brief(sum(right_line(r, m) for r, m in found), len(found))
        yield f"    {kind:21} {_brief(len(found), len(mine)):8} {line:8} {cause:36} {told}".rstrip()


def _brief(hits: int, of: int) -> str:
    return f"{hits}/{of}"


def what_was_wrong(records: list[Record]) -> Iterator[str]:
    """Yields what went wrong, a line each, to look into."""
    for record in records:
        what = f"    {record['run']}: {record['kind']} of {record['ns'] / 1e6:.1f} ms"
        report = matched(record)
        if report is None:
            yield f"{what} not found: {record['reports']}"
        elif not right_line(record, report) or not right_cause(record, report):
            named = report["culprit"] if record["truth"]["in_loop"] else report["holder"]
            yield f"{what}: {Path(named).name}; {report['cause']}, {report['rule']}"
