"""A stored result as one side of a comparison, by whichever tool."""

from dataclasses import dataclass
from pathlib import Path

from loopstall.analysis.compare import Figures, figures_of
from loopstall.errors import InputError
from loopstall.records import Environment, Plan
from loopstall.results import other_tools, store

__all__ = ["Stored", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A side: the figures of its cells and, for a result of loopstall, its plan and its machine."""

    name: str
    figures: tuple[Figures, ...]
    environment: Environment | None = None
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()


def read(path: Path) -> Stored:
    """Reads a results folder or file, or JSON of pyperf or pytest-benchmark, one file or a folder of them.

    Raises:
        InputError: the path does not exist, or nobody's result can be read there.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_file() or not (path / store.PLAN_FILE).is_file():
        figures = other_tools.read(path)
        if figures is not None:
            return Stored(name=str(path), figures=tuple(figures))
    results = store.load([path])
    return Stored(
        name=str(path),
        figures=tuple(figures_of(results.runs)),
        environment=next((run.environment for run in results.runs if run.environment is not None), None),
        plan=results.plan,
        warnings=results.warnings,
    )
