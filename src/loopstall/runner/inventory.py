"""The workloads that a side has: which of them it can load, and from which file the baseline runs each."""

from collections.abc import Collection, Iterable, Iterator, Sequence
import contextlib
from dataclasses import dataclass, replace
import json
import os
from pathlib import Path
import select
import subprocess
import tempfile
from typing import Any

import loopstall
from loopstall import __version__
from loopstall.errors import InputError
from loopstall.records import BROKEN, Cell, Verdict, WorkloadRef
from loopstall.runner.side import Side, Sides
from loopstall.workloads.places import OWN

__all__ = ["Matched", "match"]

_SCRIPT = str(Path(loopstall.__file__).parent / "harness" / "inventory.py")
_START = "import loopstall.harness, runpy, sys; runpy.run_path(sys.argv[1])['main'](*sys.argv[2:])"
_LAST_CHARS = 300
_START_S = 60.0  # for an interpreter to start and to import loopstall, on a busy machine too


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A workload file on a side: the workloads in it with the arguments that each takes, or why it does not load.

    Args:
        names: each workload with its arguments, None for any.
        error: in a sentence; "" where it loads.
        detail: the last lines of the traceback.
    """

    names: dict[str, list[str] | None]
    error: str = ""
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The cells that both sides can run, and verdicts on those that they cannot.

    Args:
        cells: of the candidate, each with the cell as the baseline runs it.
        verdicts: on what is not measured: ``added``, ``removed`` and ``baseline-broken``.
        notes: where the baseline runs its own workload file, and why.
        new: the workloads that the baseline's tree lacks, though its code can run their file.
    """

    cells: dict[Cell, Cell]
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    new: frozenset[WorkloadRef] = frozenset()


def match(sides: Sides, cells: Sequence[Cell], *, own: Path, known: Iterable[str] | None, limit_s: float) -> Matched:
    """Finds the workload of each cell on the baseline's side.

    The candidate's file is run over either side's code. Where it does not load on the baseline, the baseline's own file
    takes its place, for those of its workloads that are there.

    Args:
        sides: that are compared.
        cells: of the candidate.
        own: the candidate's folder of workloads, whether it is there or not.
        known: the names of all workloads of the candidate, where what was removed is to be told; else None.
        limit_s: the time limit of loading a file.

    Raises:
        InputError: a side's interpreter cannot be run, or cannot import loopstall.
    """
    asking = _Asking(limit_s)
    asking.ask(sides.candidate, ())
    files = list(dict.fromkeys(cell.workload.path for cell in cells))
    theirs = asking.ask(sides.baseline, files)
    before = _Before.of(sides, files, own, asking)
    found: dict[Cell, Cell] = {}
    verdicts: list[Verdict] = []
    for cell in cells:
        first = theirs[cell.workload.path]
        other = before.file_for(cell, first) if first.error else cell.workload.path
        if isinstance(other, Verdict):
            verdicts.append(other)
        else:
            found[cell] = replace(cell, workload=WorkloadRef(path=other, name=cell.workload.name))
    return Matched(
        cells=found,
        verdicts=(*verdicts, *(before.removed(own, set(known)) if known is not None else ())),
        notes=_notes(found, theirs),
        new=frozenset(cell.workload for cell in found if before.lacks(cell.workload)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """The workload files of the baseline's own tree.

    Args:
        candidate: the other side.
        paths: of each file of the candidate that in its place; "" where there is none.
        loaded: what loading each file comes to that the candidate has not, or has with other content.
        of_folder: those of them that lie in the folder of workloads.
    """

    candidate: Side
    paths: dict[str, str]
    loaded: dict[str, Loaded]
    of_folder: tuple[str, ...]

    @classmethod
    def of(cls, sides: Sides, files: Sequence[str], own: Path, asking: "_Asking") -> "_Before":
        paths = {file: sides.baseline.counterpart(file) for file in files}
        theirs = sides.baseline.counterpart(str(own))
        there = sorted(Path(theirs).glob("[!_]*.py")) if theirs else []
        of_folder = tuple(str(file) for file in there if not _same(file, own / file.name))
        others = [path for file, path in paths.items() if path and not _same(Path(path), Path(file))]
        asked = list(dict.fromkeys([*others, *of_folder]))
        loaded = asking.ask(sides.baseline, asked) if asked else {}
        return cls(candidate=sides.candidate, paths=paths, loaded=loaded, of_folder=of_folder)

    def file_for(self, cell: Cell, first: Loaded) -> str | Verdict:
        """Returns the file from which the baseline runs a cell, or the verdict where there is none.

        Args:
            cell: of the candidate.
            first: why the candidate's file does not load on the baseline.
        """
        name = cell.workload.name
        path = self._place_of(cell.workload)
        if not path and self.lacks(cell.workload):
            return _verdict(cell, "added", f"the workload is new, and the baseline {_last(first)}")
        loaded = self.loaded.get(path or self.paths[cell.workload.path], first)
        if loaded.error:
            return _verdict(cell, BROKEN, f"the baseline {_last(loaded)}")
        taken = loaded.names[name]
        lacking = [one for one, _ in cell.params if taken is not None and one not in taken]
        if lacking:
            return _verdict(cell, "added", f"the baseline's {name} has no parameter {lacking[0]!r}")
        return path

    def lacks(self, workload: WorkloadRef) -> bool:
        """Returns whether a workload of the candidate's tree is in no file of the baseline's that could hold it."""
        path = self.paths[workload.path]
        if self._place_of(workload) or not _lies_in(self.candidate, workload.path):
            return False
        return not path or (path in self.loaded and not self.loaded[path].error)

    def removed(self, own: Path, known: Collection[str]) -> Iterator[Verdict]:
        """Yields a verdict for each workload of the folder, and for each unreadable file, that the candidate lacks."""
        for file in self.of_folder:
            place = Path(file)
            loaded = self.loaded[file]
            names = loaded.names if not loaded.error or (own / place.name).exists() else {place.stem: None}
            for name in names:
                if name not in known:
                    rule = f"the candidate has no workload {name!r}; the baseline's is in {place.name}"
                    if loaded.error:
                        rule = f"the candidate has no {place.name}; the baseline {_last(loaded)}"
                    ref = WorkloadRef(path=file, name=name)
                    yield Verdict(row=name, strategy="all", workload=ref, verdict="removed", rule=rule)

    def _place_of(self, workload: WorkloadRef) -> str:
        """Returns the file of the baseline's that has a workload of that name, its own first; "" where none has."""
        files = (self.paths[workload.path], *self.of_folder)
        return next((one for one in files if one in self.loaded and workload.name in self.loaded[one].names), "")


def _lies_in(side: Side, file: str) -> bool:
    return side.places is not None and side.places.whose(file) == OWN


def _verdict(cell: Cell, word: str, rule: str) -> Verdict:
    return Verdict(row=cell.row, strategy=str(cell.strategy), workload=cell.workload, verdict=word, rule=rule)


def _last(loaded: Loaded) -> str:
    """Says why a file does not load, with the end of the traceback where there is one."""
    end = " / ".join(line.strip() for line in loaded.detail)[-_LAST_CHARS:]
    return f"{loaded.error}{f'; the last lines: {end}' if end else ''}"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _notes(found: dict[Cell, Cell], theirs: dict[str, Loaded]) -> tuple[str, ...]:
    own: dict[tuple[str, str], dict[str, None]] = {}
    for head, base in found.items():
        if head.workload.path != base.workload.path:
            own.setdefault((head.workload.path, base.workload.path), {})[head.workload.name] = None
    return tuple(
        f"{', '.join(names)}: the baseline runs its own {Path(file).name}, since it {theirs[other].error}"
        for (other, file), names in own.items()
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks sides what they can load.

    Args:
        limit_s: the time limit of a file.
    """

    limit_s: float

    def ask(self, side: Side, files: Sequence[str]) -> dict[str, Loaded]:
        """Returns what loading each file on a side comes to.

        A file that ends or hangs its process is answered for, and the rest are asked anew.

        Raises:
            InputError: the interpreter cannot be run, or cannot import loopstall.
        """
        found: dict[str, Loaded] = {}
        left = list(files)
        answers, why = self._once(side, left)
        while left:
            found.update(zip(left, answers, strict=False))
            left = left[len(answers) :]
            if left:
                dead = left.pop(0)
                found[dead] = Loaded(names={}, error=f"cannot load {dead}: {why}")
                answers, why = self._once(side, left)
        return found

    def _once(self, side: Side, files: Sequence[str]) -> tuple[list[Loaded], str]:
        """Asks one process; returns its answers in order, and why it has given no more."""
        command = [*side.command, "-c", _START, _SCRIPT, str(os.getpid())]
        lines: list[bytes] = []
        why = ""
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=side.environment()
                )
            except OSError as error:
                raise InputError(f"cannot run {side.python}: {error.strerror}") from error
            with process:
                try:
                    lines.extend(self._answers(process, files))
                except TimeoutError:
                    why = "it hangs"
                finally:
                    process.kill()
            said.seek(0)
            if not lines:
                _refuse(side, said.read().decode("utf-8", "replace") or why)
        return [_read(json.loads(line), side) for line in lines[1:]], why or "its process ended without output"

    def _answers(self, process: subprocess.Popen[bytes], files: Sequence[str]) -> Iterator[bytes]:
        """Yields the lines of a process: that it is ready, and an answer a file, as far as they come.

        Raises:
            TimeoutError: one did not come in time.
        """
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # a process that is dead already has nothing to answer
            process.stdin.write(b"".join(json.dumps(file).encode() + b"\n" for file in files))
            process.stdin.close()
        told, left, limit_s = b"", len(files) + 1, _START_S
        while left:
            if not select.select([process.stdout], [], [], limit_s)[0]:
                raise TimeoutError
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                return
            *whole, told = (told + more).split(b"\n")
            left -= len(whole)
            limit_s = self.limit_s if whole else limit_s
            yield from whole


def _read(answer: dict[str, Any], side: Side) -> Loaded:
    """Reads an answer, in which files of a tree are named as they are in it."""
    roots = [f"{folder}{os.sep}" for folder in (*side.places.own, *side.places.other)] if side.places else []

    def bare(text: str) -> str:
        for root in sorted(roots, key=len, reverse=True):
            text = text.replace(root, "")
        return text

    error = bare(answer.get("error", "")).removesuffix("; fix the file")
    return Loaded(names=answer.get("names", {}), error=error, detail=tuple(map(bare, answer.get("detail", ()))))


def _refuse(side: Side, said: str) -> None:
    """Raises that a side cannot measure."""
    last = (said.strip().splitlines() or ["it ended without output"])[-1]
    raise InputError(
        f"{side.python} of {side.name} cannot import loopstall ({last}); install it there:"
        f" {side.python} -m pip install loopstall=={__version__}"
    )
