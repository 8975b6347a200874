"""The proof that a comparison compared: which code the processes of either side have run, by what they say of it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
import filecmp
import os
from pathlib import Path

from loopstall.errors import InputError
from loopstall.records import NOT_TRIED, Code, Module, Pair, Run, Verdict, WorkloadRef
from loopstall.records.units import counted
from loopstall.runner.side import Side, Sides
from loopstall.workloads.places import OTHER

__all__ = ["DIFFERENT", "NONE", "SAME", "Proof", "differences"]

DIFFERENT, SAME, NONE = "different", "same", "none"
"""Values of a verdict's ``code``: the sides' modules of the project differ, are the same, or there was none."""

_LEFT_OUT = {"__pycache__", "node_modules"}
_SAID = {
    DIFFERENT: "",
    SAME: "both sides import the same code",
    NONE: "it imports no module of the project",
}


class Proof:
    """Collects what the processes of a comparison imported, and refuses one that compares nothing.

    Args:
        sides: that are compared.
    """

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._seen: dict[str, tuple[dict[str, Module], dict[str, Module]]] = {}
        self._silent: set[str] = set()
        self._failed: set[WorkloadRef] = set()
        self._shared: set[str] = set()

    def check(self, pair: Pair) -> None:
        """Takes a pair into account.

        Raises:
            InputError: a process ran the other side's code, or the same code as the other where their trees differ.
        """
        if pair.head.error is None or pair.head.error.kind == NOT_TRIED:
            self._failed |= {pair.head.cell.workload} if pair.base.error is not None else set()
        if self._sides.changed is None:
            self._shared |= _shared(pair)
            return
        name = pair.head.cell.workload.name
        seen = self._seen.setdefault(name, ({}, {}))
        for side, run, known in zip(self._both, (pair.base, pair.head), seen, strict=True):
            if run.code is None:
                self._note_silence(side, run)
                continue
            self._refuse_the_others(side, run.code)
            known.update({module.name: module for module in run.code.modules})
        codes = (pair.base.code, pair.head.code)
        if codes[0] is not None and codes[1] is not None and _hashes(codes[0].modules) == _hashes(codes[1].modules):
            self._refuse_identical(codes[0], codes[1])

    def said(self, verdicts: Iterable[Verdict], *, new: Collection[WorkloadRef] = ()) -> list[Verdict]:
        """Returns the verdicts with what is proven about the code that each rests on.

        Args:
            verdicts: on what was measured.
            new: the workloads that the baseline's tree lacks: one that its code fails is added, and no failure.
        """
        found: list[Verdict] = []
        for item in verdicts:
            if item.verdict == "failed" and item.workload in self._failed and item.workload in new:
                found.append(replace(item, verdict="added", rule=f"the workload is new, and fails on {item.rule}"))
                continue
            code = self._code_of(item)
            words = "both sides are the same files" if code == SAME and not self._sides.changed else _SAID.get(code, "")
            found.append(replace(item, code=code, rule=f"{item.rule}; {words}" if words else item.rule))
        return found

    def notes(self, verdicts: Iterable[Verdict]) -> tuple[str, ...]:
        """Returns what is to be said about the comparison as a whole."""
        notes: list[str] = []
        codes = {item.code for item in verdicts if item.code}
        if self._sides.changed == ():
            notes.append("both sides are the same files: what differs between them is chance")
        elif codes and codes <= {SAME, NONE}:
            notes.append(f"both sides run the same code: no workload imports what differs, {self._some_changed()}")
        if self._shared:
            files = ", ".join(sorted(self._shared))
            notes.append(f"both interpreters ran the same {files}: what is compared is the rest")
        return (*notes, *sorted(self._silent))

    def compared_itself(self, verdicts: Iterable[Verdict]) -> str:
        """Returns why a commit was compared with itself, "" where it was not."""
        codes = {item.code for item in verdicts if item.code}
        return self._sides.same if codes <= {SAME, NONE} else ""

    @property
    def _both(self) -> tuple[Side, Side]:
        return self._sides.baseline, self._sides.candidate

    def _code_of(self, item: Verdict) -> str:
        base, head = self._seen.get(item.workload.name if item.workload is not None else "", ({}, {}))
        if not item.pairs or item.workload is None or item.workload.name not in self._seen or self._silent:
            return ""
        if not (base or head):
            return NONE
        return SAME if _hashes(base.values()) == _hashes(head.values()) else DIFFERENT

    def _note_silence(self, side: Side, run: Run) -> None:
        if run.error is None:
            self._silent.add(f"which code {side.name} ran is not proven: its loopstall is older and does not say")

    def _refuse_the_others(self, side: Side, code: Code) -> None:
        for module in code.modules:
            if side.places is not None and side.places.whose(module.file) == OTHER:
                raise InputError(
                    f"{side.name} was not measured: its process imported {module.name} from {module.file}, which is the"
                    " other side's; let the workload import it by name, not by the path of its own file"
                )

    def _refuse_identical(self, base: Code, head: Code) -> None:
        """Refuses two sides of one code where a file of it differs between the trees."""
        for path in self._sides.changed or ():
            ours = [one for one in base.modules if _is_source(path, one.name)]
            for one in ours:
                other = next(two for two in head.modules if two.name == one.name)
                if not all(_elsewhere(side, path, of) for side, of in zip(self._both, (one, other), strict=True)):
                    raise InputError(_refusal(path, one.name, one.file, other.file))
            for name, file in base.outside:
                if _is_copy(path, name, file) and dict(head.outside).get(name) == file:
                    raise InputError(_refusal(path, name, file, file))

    def _some_changed(self) -> str:
        changed = self._sides.changed or ()
        more = len(changed) - 1
        return f"{changed[0]} and {counted(more, 'more file')}" if more > 0 else changed[0]


def differences(base: Path, head: Path) -> tuple[str, ...]:
    """Returns the files that differ between two folders, relative; hidden ones and results are left out."""
    one, other = (set(_walk(folder)) for folder in (base, head))
    both = (path for path in one & other if not filecmp.cmp(base / path, head / path, shallow=False))
    return tuple(sorted({*(one ^ other), *both}))


def _walk(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        inside = Path(place)
        left_out = _LEFT_OUT | ({"reports"} if inside == folder else set())
        kept = (name for name in folders if not name.startswith(".") and name not in left_out)
        folders[:] = [name for name in kept if not (inside / name / "pyvenv.cfg").exists()]
        for name in files:
            if (inside / name).is_file():
                yield os.fspath((inside / name).relative_to(folder))


def _shared(pair: Pair) -> set[str]:
    """Returns the files that two interpreters both took from the working directory, relative to it."""
    if pair.base.code is None or pair.head.code is None:
        return set()
    here = Path.cwd().resolve()
    both = {file for _, file in pair.base.code.outside} & {file for _, file in pair.head.code.outside}
    local = (Path(file) for file in both if "site-packages" not in file)
    return {file.relative_to(here).as_posix() for file in local if file.is_relative_to(here)}


def _hashes(modules: Iterable[Module]) -> set[tuple[str, str]]:
    return {(module.name, module.digest) for module in modules}


def _is_source(path: str, module: str) -> bool:
    """Returns whether a file of a tree may be that of a module, by its place in the package."""
    inner = module.replace(".", "/")
    return f"/{path}".endswith((f"/{inner}.py", f"/{inner}/__init__.py"))


def _elsewhere(side: Side, path: str, module: Module) -> bool:
    """Returns whether a module came from another file of the side's tree than the one that may be its source."""
    root, file = Path(side.root).resolve(), Path(module.file)
    if file.is_relative_to(root):
        return file.relative_to(root).as_posix() != path
    inner = module.name.replace(".", "/")
    sources = (*root.glob(f"**/{inner}.py"), *root.glob(f"**/{inner}/__init__.py"))
    return any(one.read_bytes() == file.read_bytes() for one in sources if one.relative_to(root).as_posix() != path)


def _is_copy(path: str, name: str, file: str) -> bool:
    """Returns whether an installed top-level module holds a file of a tree: it was installed from there once."""
    parts = Path(path).parts
    if Path(file).name != "__init__.py":
        return parts[-1] == Path(file).name
    if name not in parts[:-1]:
        return False
    inside = parts[len(parts) - parts[::-1].index(name) :]
    return Path(file).parent.joinpath(*inside).is_file()


def _refusal(path: str, name: str, base: str, head: str) -> str:
    files = base if base == head else f"{base} and {head}"
    return (
        f"nothing was compared: {path} differs between the sides, but both imported the same {name} ({files});"
        " uninstall that copy, or put the folder of the code where both sides are imported from"
    )
