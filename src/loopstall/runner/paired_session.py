"""Measures the pairs of a gate before the user's eyes, each saved as it ends, so that an interrupted gate can go on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import hashlib
import os
from pathlib import Path
import time

from rich.console import Console

from loopstall.errors import InputError
from loopstall.gate import schedule
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.records import Cell, Pair, Plan, Verdict, WorkloadRef
from loopstall.report.output import say
from loopstall.report.progress import shown, tell_limit
from loopstall.results import store
from loopstall.runner.schedule import run_seed

__all__ = ["Asked", "Gated", "Reopened", "begin", "check_code", "code_of", "measure", "quick_limit_s", "reopen"]

_SIDES = ("baseline", "candidate")
_QUICK_S, _QUICK_CELL_S = 60.0, 6.0
"""The most that a quick gate takes: so long for what looks worse, and so long for each cell."""

_CODE = frozenset({".py", ".pyi", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".h", ".hpp", ".rs", ".toml", ".cfg", ".lock"})
_NOT_CODE = frozenset({"__pycache__", "node_modules", "reports", "build", "target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request to a gate in pairs, kept beside them: with the plan it is all that completes them.

    Args:
        rules: thresholds and sample sizes.
        turns: bursts a side in a pair.
        limit_s: how long it may measure; None for as long as it takes.
        options: the command's options that say what the sides are, by name; None where one was not given.
        code: a hash of the code of the sides that are folders or the working tree.
        unmeasured: verdicts on cells that only one side can run.
        notes: on how the workloads of both sides were found.
        new: the workloads that the baseline's tree lacks.
    """

    rules: Criteria
    turns: int
    limit_s: float | None
    options: Mapping[str, str | None]
    code: str
    unmeasured: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    new: tuple[WorkloadRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """The pairs of every cell, as far as they were measured, and the interruption that ended that, if one did."""

    samples: list[PairedSample]
    interrupt: KeyboardInterrupt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The content of a results folder of a gate.

    Args:
        plan: the cells as the candidate's side has them, the seed and the limits.
        asked: what was asked for.
        cells: each cell of the plan, and the same as the baseline's side has it.
        saved: the pairs that went well, by cell and number.
    """

    plan: Plan
    asked: Asked
    cells: Mapping[Cell, Cell]
    saved: Mapping[tuple[Cell, int], Pair]


def quick_limit_s(cells: int) -> float:
    """Returns how long a quick gate measures so many cells at most."""
    return _QUICK_S + _QUICK_CELL_S * cells


def code_of(folders: Sequence[Path]) -> str:
    """Returns a hash of the source files under some folders; hidden folders and environments are left out."""
    digest = hashlib.blake2b(digest_size=16)
    for top in folders:
        for folder, inner, files in os.walk(top):
            inner[:] = sorted(
                name
                for name in inner
                if name not in _NOT_CODE
                and not name.startswith(".")
                and not (Path(folder) / name / "pyvenv.cfg").exists()
            )
            for name in sorted(files):
                path = Path(folder) / name
                if path.suffix in _CODE and path.is_file():
                    digest.update(f"{path}\0".encode("utf-8", "surrogateescape") + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_code(asked: Asked, folders: Sequence[Path], folder: Path) -> None:
    """Sees to it that the code is the one that the pairs of a results folder were measured with.

    Raises:
        InputError: it is another.
    """
    if code_of(folders) != asked.code:
        raise InputError(f"the code has changed since {folder} was measured; run the gate again, without --resume")


def begin(folder: Path, plan: Plan, asked: Asked, bases: Sequence[Cell]) -> None:
    """Makes a results folder.

    Args:
        folder: where.
        plan: the cells as the candidate's side has them, the seed and the limits.
        asked: what was asked for.
        bases: the same cells, in the same order, as the baseline's side has them.

    Raises:
        InputError: it cannot be written, or holds another result.
    """
    for side, cells in zip(_SIDES, (tuple(bases), plan.cells), strict=True):
        store.Store(folder / side).begin(replace(plan, cells=cells))
    store.save_asked(folder, asked)


def reopen(folder: Path) -> Reopened:
    """Reads a results folder.

    Raises:
        InputError: it holds no gate in pairs, or cannot be read.
    """
    asked = store.read_asked(folder, Asked)
    found = [store.load([folder / side]) for side in _SIDES]
    for side in found:
        for warning in side.warnings:
            say(f"loopstall: {warning}", err=True)
    base, head = found
    assert base.plan is not None  # a folder without a plan is an error
    assert head.plan is not None
    cells = dict(zip(head.plan.cells, base.plan.cells, strict=True))
    bases, heads = ({(run.cell, run.index): run for run in side.runs if run.error is None} for side in found)
    saved = {
        (cell, index): Pair(base=bases[cells[cell], index], head=run)
        for (cell, index), run in heads.items()
        if cell in cells and (cells[cell], index) in bases
    }
    return Reopened(plan=head.plan, asked=asked, cells=cells, saved=saved)


def measure(
    plan: Plan,
    asked: Asked,
    take: Callable[[Cell, int, int], Pair],
    *,
    folder: Path,
    saved: Mapping[tuple[Cell, int], Pair],
    progress: Console,
) -> Gated:
    """Measures what of a gate is missing; ends early where the time is over, or where the user interrupts it.

    No pair is begun that would not fit into the time left, as long as the cell's last one took.

    Args:
        plan: the cells, the seed and the limits.
        asked: what was asked for.
        take: measures the pair of a cell, a number and a seed.
        folder: the results folder.
        saved: the pairs that are there already.
        progress: the console that shows progress.
    """
    pairs = _Pairs(plan, take, folder, saved)
    deadline_s = time.monotonic() + asked.limit_s if asked.limit_s else None
    tell_limit(progress, asked.limit_s)
    with shown(progress, what="pair") as bar:

        def pair(cell: Cell, index: int) -> Pair:
            one = pairs.take(cell, index)
            bar.advance(f"{cell.row} {cell.strategy}")
            return one

        def out_of_time(cell: Cell) -> bool:
            return deadline_s is not None and time.monotonic() + pairs.lasted_s.get(cell, 0.0) > deadline_s

        try:
            found = schedule.measure(
                plan.cells, asked.rules, seed=plan.seed, pair=pair, out_of_time=out_of_time, planned=bar.expect
            )
        except KeyboardInterrupt as interrupt:
            samples = [PairedSample(cell=cell, pairs=taken) for cell, taken in pairs.taken.items()]
            return Gated(samples=samples, interrupt=interrupt)
    return Gated(samples=found)


class _Pairs:
    """The pairs of a gate: those that are saved already, and those that are measured and saved when they are asked for.

    ``taken`` has those that were asked for so far, ``lasted_s`` how long the last one of a cell took to measure.
    """

    def __init__(
        self,
        plan: Plan,
        take: Callable[[Cell, int, int], Pair],
        folder: Path,
        saved: Mapping[tuple[Cell, int], Pair],
    ) -> None:
        self._plan = plan
        self._take = take
        self._targets = [store.Store(folder / side) for side in _SIDES]
        self._saved = saved
        self.taken: dict[Cell, tuple[Pair, ...]] = dict.fromkeys(plan.cells, ())
        self.lasted_s: dict[Cell, float] = {}

    def take(self, cell: Cell, index: int) -> Pair:
        """Returns a cell's pair of a number."""
        one = self._saved.get((cell, index)) or self._measured(cell, index)
        self.taken[cell] += (one,)
        return one

    def _measured(self, cell: Cell, index: int) -> Pair:
        begun_s = time.monotonic()
        one = self._take(cell, index, run_seed(self._plan, index))
        self.lasted_s[cell] = time.monotonic() - begun_s
        for target, run in zip(self._targets, (one.base, one.head), strict=True):
            target.save(run)
        return one
