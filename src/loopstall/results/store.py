"""A results folder: the plan, and one file a run, each written whole or not at all as soon as the run ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
import re
from typing import Any, TypeVar

import msgspec

from loopstall.errors import InputError, MeasurementError
from loopstall.records import FORMAT, SCHEMA_VERSION, Frame, Plan, Run, Verdict
from loopstall.records.cells import strategy_shown
from loopstall.records.encoding import encode
from loopstall.records.files import write_text

__all__ = [
    "Results",
    "Store",
    "load",
    "new_folder",
    "read_asked",
    "read_plan",
    "read_summary",
    "read_verdicts",
    "read_verdicts_file",
    "save_asked",
    "save_summary",
    "save_verdicts",
    "verdicts_text",
]

PLAN_FILE = "plan.json"
RUNS_FOLDER = "runs"
VERDICTS_FILE = "verdicts.json"
SUMMARY_FILE = "summary.json"
ASKED_FILE = "gate.json"

_S = TypeVar("_S")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    format: str
    version: int
    kind: str
    data: msgspec.Raw
    stacks: tuple[msgspec.Raw, ...] = ()
    stack_of: tuple[int, ...] = ()
    """Of each stall of a run, which of the stacks is its own: many stalls share a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The content of one or more results folders: the plan of the first, every run, and the unreadable files."""

    plan: Plan | None
    runs: tuple[Run, ...]
    source: str
    warnings: tuple[str, ...] = ()


class Store:
    """Writes a results folder.

    Args:
        folder: where; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, plan: Plan) -> None:
        """Makes the folder and writes the plan.

        Raises:
            InputError: the folder cannot be written, or holds another result.
        """
        if (self.folder / PLAN_FILE).exists():
            raise InputError(f"{self.folder} holds a result already; complete it with --resume or choose another -o")
        try:
            (self.folder / RUNS_FOLDER).mkdir(parents=True, exist_ok=True)
            write_text(self.folder / PLAN_FILE, _encode("plan", plan))
        except OSError as error:
            raise InputError(
                f"cannot write the results folder {self.folder}: {error.strerror or error}; choose another with -o"
            ) from error

    def save(self, run: Run) -> Path:
        """Writes one run.

        Raises:
            MeasurementError: the file cannot be written; what was there before is as it was.
        """
        path = self.folder / RUNS_FOLDER / f"{run.cell.slug}-{run.index:03d}.json"
        try:
            write_text(path, _encode_run(run))
        except OSError as error:
            raise MeasurementError(
                f"cannot save {path}: {error.strerror or error}; every run before it is saved: make room and"
                f" complete with: loopstall run --resume -o {self.folder}"
            ) from error
        return path


def new_folder(root: Path, name: str, now: datetime) -> Path:
    """Returns a folder name ``<time>-<name>`` under root that does not exist yet."""
    clean = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "run"
    stem = f"{now:%Y%m%d-%H%M%S}-{clean[:60]}"
    folder, number = root / stem, 2
    while folder.exists():
        folder, number = root / f"{stem}-{number}", number + 1
    return folder


def load(paths: Iterable[Path]) -> Results:
    """Reads results folders and single files of runs.

    A run file that cannot be read inside a folder is passed over with a warning, for one bad file must not hide
    the rest; one named by itself is an error.

    Raises:
        InputError: a path does not exist or is not a loopstall result, or nothing in it is readable.
    """
    plan: Plan | None = None
    runs: list[Run] = []
    stacks: _Stacks = {}
    warnings: list[str] = []
    names: list[str] = []
    for path in paths:
        names.append(str(path))
        if path.is_dir():
            if not (path / PLAN_FILE).is_file():
                raise InputError(f"{path} is not a results folder: it has no {PLAN_FILE}")
            own = read_plan(path)
            plan = plan or own
            for file in sorted((path / RUNS_FOLDER).glob("*.json")):
                try:
                    runs.append(_read_run(file, stacks))
                except InputError as error:
                    warnings.append(f"passed over: {error}")
        else:
            runs.append(_read_run(path, stacks))
    return Results(plan=plan, runs=tuple(runs), source=", ".join(names), warnings=tuple(warnings))


def read_plan(folder: Path) -> Plan:
    """Reads the plan of a results folder.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    return _read(folder / PLAN_FILE, "plan", Plan)


def verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """Returns verdicts as a file holds them."""
    return _encode("verdicts", tuple(verdicts))


def save_verdicts(folder: Path, verdicts: Sequence[Verdict]) -> None:
    """Writes what a gate said beside what it measured.

    Raises:
        MeasurementError: the file cannot be written.
    """
    try:
        write_text(folder / VERDICTS_FILE, verdicts_text(verdicts))
    except OSError as error:
        text = f"cannot save {folder / VERDICTS_FILE}: {error.strerror or error}; every pair is saved: make room"
        raise MeasurementError(text) from error


def read_verdicts(folder: Path) -> tuple[Verdict, ...]:
    """Reads what a gate said.

    Raises:
        InputError: there is nothing, or it cannot be read.
    """
    return read_verdicts_file(folder / VERDICTS_FILE)


def read_verdicts_file(path: Path) -> tuple[Verdict, ...]:
    """Reads what ``verdicts_text`` made.

    Raises:
        InputError: there is nothing, or it cannot be read.
    """
    found = _read(path, "verdicts", tuple[Verdict, ...])
    return tuple(replace(item, strategy=strategy_shown(item.strategy)) for item in found)


def save_asked(folder: Path, asked: object) -> None:
    """Writes what a gate was asked for, beside what it measures.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        write_text(folder / ASKED_FILE, _encode("gate", asked))
    except OSError as error:
        raise InputError(f"cannot write {folder / ASKED_FILE}: {error.strerror or error}; make room") from error


def read_asked(folder: Path, kind: type[_S]) -> _S:
    """Reads what a gate was asked for.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if not (folder / ASKED_FILE).is_file():
        raise InputError(f"{folder} holds no gate that could be completed: it has no {ASKED_FILE}")
    return _read(folder / ASKED_FILE, "gate", kind)


def save_summary(folder: Path, summary: object) -> None:
    """Writes what a list of results says of one; what cannot be written is worked out again when it is asked for.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(folder / SUMMARY_FILE, _encode("summary", summary))


def read_summary(folder: Path, kind: type[_S]) -> _S | None:
    """Reads what a list of results says of one, None where there is nothing that can be read."""
    if not (folder / SUMMARY_FILE).is_file():
        return None
    try:
        return _read(folder / SUMMARY_FILE, "summary", kind)
    except InputError:
        return None


def _encode(kind: str, record: object, **extra: object) -> str:
    envelope: dict[str, Any] = {"format": FORMAT, "version": SCHEMA_VERSION, "kind": kind, "data": record, **extra}
    return encode(envelope).decode("utf-8")


def _encode_run(run: Run) -> str:
    """Returns the text of a run, in which each stack stands once."""
    if run.measured is None or not run.measured.stalls:
        return _encode("run", run)
    numbers: dict[tuple[Frame, ...], int] = {}
    places = [numbers.setdefault(stall.stack, len(numbers)) for stall in run.measured.stalls]
    bare = tuple(replace(stall, stack=()) for stall in run.measured.stalls)
    data = replace(run, measured=replace(run.measured, stalls=bare))
    return _encode("run", data, stacks=list(numbers), stack_of=places)


_Stacks = dict[bytes, tuple[Frame, ...]]
"""Stacks by their text, so that equal ones of a whole result are one object."""


def _read_run(path: Path, known: _Stacks) -> Run:
    envelope = _open(path, "run")
    run = _decode(path, envelope.data, Run)
    if not envelope.stacks or run.measured is None:
        return run
    stacks: list[tuple[Frame, ...]] = []
    for raw in envelope.stacks:
        text = bytes(raw)
        if text not in known:
            known[text] = _decode(path, raw, tuple[Frame, ...])
        stacks.append(known[text])
    if len(envelope.stack_of) != len(run.measured.stalls) or not all(0 <= n < len(stacks) for n in envelope.stack_of):
        raise InputError(f"{path} is damaged: its stacks do not fit its stalls; measure it again with --resume")
    for stall, place in zip(run.measured.stalls, envelope.stack_of, strict=True):
        object.__setattr__(stall, "stack", stacks[place])  # just read, and nobody's yet; a copy takes ten times as long
    return run


def _read(path: Path, kind: str, record: type[_S]) -> _S:
    return _decode(path, _open(path, kind).data, record)


def _decode(path: Path, data: msgspec.Raw, record: type[_S]) -> _S:
    try:
        return msgspec.json.decode(data, type=record)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is damaged: {error}; measure it again with --resume") from error


def _open(path: Path, kind: str) -> _Envelope:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not content.strip():
        raise InputError(f"{path} is empty; measure it again with --resume")
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is not a file of loopstall's: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not whole JSON: {error}; measure it again with --resume") from error
    if envelope.format != FORMAT or envelope.kind != kind:
        raise InputError(f"{path} is not a loopstall {kind} (it says {envelope.format!r}, {envelope.kind!r})")
    if envelope.version > SCHEMA_VERSION:
        raise InputError(
            f"{path} has version {envelope.version} of the format and this loopstall reads up to"
            f" {SCHEMA_VERSION}; upgrade loopstall"
        )
    return envelope
