"""A side of a comparison: the interpreter and the code that its measuring processes run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import os
from pathlib import Path
import sys

from loopstall.workloads.places import VARIABLE, Places

__all__ = ["Side", "Sides", "by_interpreter", "facing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Which interpreter, and which folders it imports from before anything else.

    Args:
        name: as reports call it.
        python: path of the interpreter; loopstall must be importable there.
        folders: of code, put in front of the module search path.
        root: the top folder of the side's tree; "" where the interpreter's installed code is meant.
        places: the folders of this side and of the other, none of them where it is an interpreter; None where it faces
            no other side.
    """

    name: str = ""
    python: str = sys.executable
    folders: tuple[str, ...] = ()
    root: str = ""
    places: Places | None = None

    @classmethod
    def of_folder(
        cls, name: str, root: Path, python: str = sys.executable, *, within: Sequence[Path] = (Path(),)
    ) -> "Side":
        """Returns a side whose code is imported from a tree as it is.

        Args:
            name: as reports call it.
            root: the top folder of the tree.
            python: path of the interpreter.
            within: the folders of it, relative, from each of which and from whose ``src`` modules are imported.
        """
        places = [place for folder in within for place in (root / folder / "src", root / folder)]
        found = tuple(str(place) for place in places if place.is_dir())
        return cls(name=name, python=python, folders=found, root=str(root))

    @property
    def command(self) -> list[str]:
        """The interpreter; for a side of a comparison without the working directory, which may be the other side's."""
        return [self.python, *(["-P"] if self.folders or self.places is not None else [])]

    def counterpart(self, path: str) -> str:
        """Returns the path in this side's tree that corresponds to one in the other's; "" where there is none."""
        if self.places is None:
            return ""
        real = os.path.realpath(path)
        own = self.places.instead(real)
        return own if own != real and Path(own).exists() else ""

    def environment(self) -> dict[str, str]:
        """Returns the environment variables of a process of this side."""
        inherited = os.environ.get("PYTHONPATH", "")
        path = [*self.folders, *([inherited] if inherited else [])]
        return {
            **os.environ,
            **({"PYTHONPATH": os.pathsep.join(path)} if path else {}),
            **({VARIABLE: self.places.variable()} if self.places is not None else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The two sides of a comparison, of trees or of interpreters.

    Args:
        baseline: the one side.
        candidate: the other side.
        changed: the files in which their trees differ, relative; None where they have no trees.
        same: where no file that git tracks differs, what to say if the code proves to be the same; else "".
        commit: the baseline's, "" where it is none.
    """

    baseline: Side
    candidate: Side
    changed: tuple[str, ...] | None = None
    same: str = ""
    commit: str = ""


def facing(baseline: Side, candidate: Side, *, changed: tuple[str, ...], same: str = "", bytecode: str = "") -> Sides:
    """Returns two sides that each know their own folders and those of the other.

    Args:
        baseline: the one side, which has a tree.
        candidate: the other side, which has one too.
        changed: the files in which they differ.
        same: what to say where they prove to be the same.
        bytecode: the folder of what is compiled of them; "" for beside the source.
    """
    one, other = ((side.root, *side.folders) for side in (baseline, candidate))
    return Sides(
        baseline=replace(baseline, places=Places(own=one, other=other, bytecode=bytecode)),
        candidate=replace(candidate, places=Places(own=other, other=one, bytecode=bytecode)),
        changed=changed,
        same=same,
    )


def by_interpreter(baseline: Side, candidate: Side) -> Sides:
    """Returns two sides that are told apart by their interpreters, each with the code that is installed there."""
    return Sides(baseline=replace(baseline, places=Places()), candidate=replace(candidate, places=Places()))
