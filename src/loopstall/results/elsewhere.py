"""Files that loopstall writes for other programs or for people: what each is, and what opens it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopstall.results import store

__all__ = ["READABLE", "as_json", "elsewhere"]

READABLE = (
    "report reads results folders, files of runs, a gate's verdicts, and the JSON of `report`, `watch -o`,"
    " `watch --json-lines`, `pytest --stall-report`, `advise -o` and `dump`"
)
_ALREADY = (
    "for another format give report the results folder, or stalls as JSON (watch -o stalls.json, pytest --stall-report"
    " stalls.json)"
)

_BY_KEY = {
    "profiles": f"is a profile for speedscope, https://www.speedscope.app opens it; {_ALREADY}",
    "traceEvents": "is a trace, https://ui.perfetto.dev opens it; for another format give the results folder",
    "benchmarks": "is JSON of pyperf or pytest-benchmark, which `loopstall compare` reads, and `python -m pyperf stats`"
    " that of pyperf",
    "panels": "is a dashboard: import it in Grafana, under Dashboards, New, Import",
}
"""JSON for other programs, by a key that it has."""

_BY_BEGINNING = (
    (b"sqlite format 3\0", "is a history: loopstall history show --file {path}"),
    (b"<?xml", f"is JUnit XML, which a CI server shows; {_ALREADY}"),
    (b"workload,params,loop,dispatch", f"is a result as CSV, for a spreadsheet or pandas; {_ALREADY}"),
    (b"began,length_ns,cause", f"is stalls as CSV, for a spreadsheet or pandas; {_ALREADY}"),
    (b"workload,strategy,load,machine", "is a history as CSV, for a spreadsheet or pandas: loopstall history show"),
    (b"time,commit", "is a series for Apache Otava: run `otava analyze` in its folder"),
    (b"tests:\n", "is the configuration of Apache Otava: run `otava analyze` in its folder"),
    (b"[[accepted]]", "is what the project has accepted: commit it, for gate and the pytest plugin read it"),
    (b"::error", f"is annotations, which GitHub shows when a workflow prints them; {_ALREADY}"),
    (b"::warning", f"is annotations, which GitHub shows when a workflow prints them; {_ALREADY}"),
    (b"### ", f"is Markdown, for a comment on GitHub or GitLab; {_ALREADY}"),
    (b"# help", "is metrics in Prometheus' format, which Prometheus scrapes and `promtool check metrics` reads"),
)  # fmt: skip
"""Other files by how they begin, in small letters."""

_HEAD_BYTES = 4096


def elsewhere(path: Path, content: bytes) -> str:
    """Returns what a file is that is not JSON, and what opens it; "" where it is none that loopstall writes."""
    head = content[:_HEAD_BYTES].lower()
    if head.lstrip().startswith((b"<!doctype html", b"<html")):
        return _page(path)
    said = next((said for begin, said in _BY_BEGINNING if head.lstrip().startswith(begin)), "")
    if not said and b"\n[[accepted]]" in head:  # below its comment
        said = dict(_BY_BEGINNING)[b"[[accepted]]"]
    if not said and _is_text(content):
        said = f"is text and no JSON: where loopstall wrote it, it is a report to be read as it is; {_ALREADY}"
    return said.replace("{path}", str(path))


def as_json(document: Mapping[str, Any]) -> str:
    """Returns what a document of JSON is that is for another program, "" where none that loopstall writes."""
    return next((said for key, said in _BY_KEY.items() if key in document), "")


def _page(path: Path) -> str:
    folder = path.resolve().parent
    if any((folder / name).is_file() for name in (store.PLAN_FILE, store.VERDICTS_FILE)):
        return f"is a page already: open it in a browser, or give its results folder, {path.parent}"
    return f"is a page already: open it in a browser; {_ALREADY}"


def _is_text(content: bytes) -> bool:
    """Returns whether a file is text for people, and neither JSON nor binary."""
    if content.lstrip()[:1] in {b"{", b"["} or b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
