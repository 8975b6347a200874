"""A side of a comparison: the interpreter and the code that its measuring processes run."""

from dataclasses import dataclass
import os
from pathlib import Path
import sys

__all__ = ["Side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Which interpreter, and which folders it imports from before anything else.

    Args:
        name: as reports call it.
        python: path of the interpreter; loopstall must be importable there.
        folders: of code, put in front of the module search path.
    """

    name: str = ""
    python: str = sys.executable
    folders: tuple[str, ...] = ()

    @classmethod
    def of_folder(cls, name: str, folder: Path, python: str = sys.executable) -> "Side":
        """Returns a side whose code is imported from a folder as it is, and from its ``src``."""
        places = (folder / "src", folder)
        return cls(name=name, python=python, folders=tuple(str(place) for place in places if place.is_dir()))

    @property
    def command(self) -> list[str]:
        """The interpreter; with folders of its own the working directory, which holds the other side, is left out."""
        return [self.python, *(["-P"] if self.folders else [])]

    def environment(self) -> dict[str, str]:
        """Returns the environment variables of a process of this side."""
        inherited = os.environ.get("PYTHONPATH", "")
        path = [*self.folders, *([inherited] if inherited else [])]
        return {**os.environ, **({"PYTHONPATH": os.pathsep.join(path)} if path else {})}
