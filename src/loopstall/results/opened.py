"""Opens whatever file or folder loopstall has written, by what it says that it is."""

from pathlib import Path
from typing import Any

import msgspec

from loopstall.analysis.content import Content
from loopstall.errors import InputError
from loopstall.records import FORMAT, Advice
from loopstall.report.stall_document import Session
from loopstall.results import advice_file, stalls_file, store
from loopstall.results.content import content_of

__all__ = ["opened"]

_READABLE = (
    "report reads results folders, files of runs, a gate's verdicts, and the JSON of `watch -o`, `watch --json-lines`,"
    " `pytest --stall-report` and `advise -o`"
)
_STALLS_AS_JSON = "write the stalls as JSON: loopstall watch -o stalls.json, or pytest --stall-report stalls.json"
_FOLDER_OF_IT = {"plan", "gate", "summary"}
"""Kinds of files that are parts of a results folder and say little by themselves."""


def opened(paths: tuple[Path, ...], *, root: Path | None = None) -> Content | Session | Advice:
    """Reads what a report is made from.

    Args:
        paths: results folders and files of runs, any number; or one other file that loopstall wrote.
        root: the checkout to which paths in annotations are relative.

    Raises:
        InputError: nothing can be read there, or it is something else; the message says what to give instead.
        InconclusiveError: the file holds nothing.
    """
    if not any(path.is_file() for path in paths):
        return content_of(paths, root=root)
    if len(paths) > 1:
        for path in paths:
            if path.is_file() and _kind(path, _content(path)) != "run":
                raise InputError(f"{path} is not a file of runs: give it alone, for only runs are reported together")
        return content_of(paths, root=root)
    content = _content(paths[0])
    return _by_kind(_kind(paths[0], content), paths[0], content, root)


def _by_kind(kind: str, path: Path, content: bytes, root: Path | None) -> Content | Session | Advice:
    if kind in {"stalls", "lines"}:
        return (stalls_file.read_document if kind == "stalls" else stalls_file.read_lines)(path, content)
    if kind == "advice":
        return advice_file.read(path)
    if kind == "verdicts":
        verdicts = store.read_verdicts_file(path)
        return Content(title=path.name, runs=(), verdicts=verdicts, gated=True, root=root)
    return content_of((path.resolve().parent if kind in _FOLDER_OF_IT else path,), root=root)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _kind(path: Path, content: bytes) -> str:
    """Returns what a file says that it is.

    Raises:
        InputError: it is nothing that a report can be made from.
    """
    if path.suffix == ".jsonl":
        return "lines"
    if not content.strip():
        raise InputError(f"{path} is empty; give another file, or measure it again with --resume where it is a run")
    elsewhere = _elsewhere(path, content)
    if elsewhere:
        raise InputError(f"{path} {elsewhere}")
    first, _, rest = content.partition(b"\n")
    if rest.strip() and _is_stall(first):
        return "lines"
    try:
        document = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not whole JSON: {error}; {_READABLE}") from error
    return _kind_of(path, document)


def _kind_of(path: Path, document: Any) -> str:
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a file of loopstall's; {_READABLE}")
    if document.get("format") == FORMAT and isinstance(document.get("kind"), str):
        kind: str = document["kind"]
        if kind == "report":
            raise InputError(f"{path} is a report already, and holds no runs; give the results folder it was made of")
        return kind
    if "stall" in document and "length_ns" in document:
        return "lines"
    for key, said in _EXPORTS.items():
        if key in document:
            raise InputError(f"{path} is not a file of loopstall's: {said}; {_READABLE}")
    raise InputError(f"{path} is not a file of loopstall's; {_READABLE}")


_EXPORTS = {
    "profiles": "it is a profile for speedscope, https://www.speedscope.app opens it",
    "traceEvents": "it is a trace, https://ui.perfetto.dev opens it",
    "benchmarks": "it is JSON of pyperf or pytest-benchmark, which `loopstall compare` reads",
    "threads": "it is what `loopstall dump --json` prints",
}
"""Foreign files by a key that they have: exports for other programs, and their own results."""


def _is_stall(line: bytes) -> bool:
    try:
        document = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(document, dict) and "stall" in document


def _elsewhere(path: Path, content: bytes) -> str:
    """Returns what to give instead of a page, an export or a history, "" where the file is none of these."""
    head = content[:256].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        folder = path.resolve().parent
        if any((folder / name).is_file() for name in (store.PLAN_FILE, store.VERDICTS_FILE)):
            return f"is a page already: open it in a browser, or give its results folder, {path.parent}"
        return f"is a page already: open it in a browser; for another format, {_STALLS_AS_JSON}"
    if head.startswith(b"<?xml"):
        return f"is JUnit XML, for a CI server; for another format, {_STALLS_AS_JSON}, or give the results folder"
    if content.startswith(b"SQLite format 3"):
        return f"is a history: loopstall history show --file {path}"
    return ""
