"""Opens whatever file or folder loopstall has written, by what it says that it is."""

from pathlib import Path
from typing import Any

import msgspec

from loopstall.analysis.content import Content, Digest
from loopstall.errors import InputError
from loopstall.records import FORMAT, Advice
from loopstall.records.dumps import ProcessDump
from loopstall.report.stall_document import Session
from loopstall.results import advice_file, report_file, stalls_file, store
from loopstall.results.content import content_of
from loopstall.results.elsewhere import READABLE, as_json, elsewhere

__all__ = ["Opened", "opened"]

Opened = Content | Digest | Session | Advice | ProcessDump
"""Content of a file or folder: runs, a report as data, stalls, advice, or what the loops of a process did."""

_FOLDER_OF_IT = {"plan", "gate", "summary"}
"""Kinds of files that are parts of a results folder and say little by themselves."""

_OF_A_DUMP = {"pid", "command", "python", "threads"}
"""The keys by which the JSON of `dump` is known."""


def opened(paths: tuple[Path, ...], *, root: Path | None = None) -> Opened:
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


def _by_kind(kind: str, path: Path, content: bytes, root: Path | None) -> Opened:
    if kind in {"stalls", "lines"}:
        return (stalls_file.read_document if kind == "stalls" else stalls_file.read_lines)(path, content)
    if kind == "advice":
        return advice_file.read(path)
    if kind == "report":
        return report_file.read(path, content, root=root)
    if kind == "dump":
        return _dump(path, content)
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
    said = elsewhere(path, content)
    if said:
        raise InputError(f"{path} {said}")
    first, _, rest = content.partition(b"\n")
    if rest.strip() and _is_stall(first):
        return "lines"
    try:
        document = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not whole JSON: {error}; {READABLE}") from error
    return _kind_of(path, document)


def _kind_of(path: Path, document: Any) -> str:
    if isinstance(document, dict):
        if document.get("format") == FORMAT and isinstance(document.get("kind"), str):
            kind: str = document["kind"]
            return kind
        if "stall" in document and "length_ns" in document:
            return "lines"
        if document.keys() >= _OF_A_DUMP:
            return "dump"
        said = as_json(document)
        if said:
            raise InputError(f"{path} {said}")
    raise InputError(f"{path} is not a file of loopstall's; {READABLE}")


def _dump(path: Path, content: bytes) -> ProcessDump:
    try:
        return msgspec.json.decode(content, type=ProcessDump)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is damaged: {error}; let `loopstall dump --json` write it again") from error


def _is_stall(line: bytes) -> bool:
    try:
        document = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(document, dict) and "stall" in document
