"""Reads what a report is made from: results folders, files of runs, or the folder of a gate."""

from pathlib import Path

from loopstall.analysis.content import Content
from loopstall.analysis.summary import Budgets, budgets_of
from loopstall.results import store

__all__ = ["content_of"]


def content_of(paths: tuple[Path, ...], *, root: Path | None = None) -> Content:
    """Reads results.

    Args:
        paths: results folders, files of runs, or one folder of a gate.
        root: the checkout to which paths in annotations are relative.

    Raises:
        InputError: nothing can be read there.
    """
    folder = paths[0]
    gated = len(paths) == 1 and (folder / store.VERDICTS_FILE).is_file()
    found = store.load([folder / "candidate"] if gated else paths)
    other = store.load([folder / "baseline"]) if gated and (folder / "baseline").is_dir() else None
    plan = found.plan if len(paths) == 1 else None
    return Content(
        title=folder.resolve().name if len(paths) == 1 else f"{len(paths)} results",
        runs=found.runs,
        plan=plan,
        budgets=budgets_of(plan) if plan is not None else Budgets(),
        warnings=(*found.warnings, *(other.warnings if other else ())),
        verdicts=store.read_verdicts(folder) if gated else (),
        baselines=other.runs if other else (),
        root=root,
    )
