"""The folders that hold a side's code, and imports that stay in them, away from the other side's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
import json
import os
import sys
from types import ModuleType
from typing import Any

__all__ = ["OTHER", "OWN", "VARIABLE", "Places", "keep_source", "of_this_process", "stay"]

VARIABLE = "LOOPSTALL_SIDE"
"""The environment variable by which a side's processes, and those that they start, know its folders."""

OWN, OTHER, NEITHER = "own", "other", "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of a side and of the other one.

    Where one lies in another the innermost decides, and an environment's folder is of neither side.

    Args:
        own: the folders of this side's code, the root of its tree first.
        other: those of the other side, the root of its tree first.
        bytecode: where what is compiled of them goes, so that no tree is written to; "" for beside the source.
    """

    own: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    bytecode: str = ""

    def whose(self, path: str) -> str:
        """Returns whose code a path is: ``OWN``, ``OTHER`` or ``NEITHER``."""
        real = _real(path)
        whose, depth = NEITHER, 0
        environment = (sys.prefix, sys.base_prefix, sys.exec_prefix)
        for name, folders in ((NEITHER, environment), (OTHER, self.other), (OWN, self.own)):
            for folder in map(_real, folders):
                if len(folder) >= depth and (real == folder or real.startswith(folder.rstrip(os.sep) + os.sep)):
                    whose, depth = name, len(folder)
        return whose

    def instead(self, path: str) -> str:
        """Returns the folder to import from in the place of one that is the other side's; others as they are."""
        if not (self.own and self.other) or self.whose(path) != OTHER:
            return path
        inside = os.path.relpath(_real(path), _real(self.other[0]))
        if inside.startswith(os.pardir):  # in a build of the other side, which comes after its tree
            return self.own[-1]
        return os.path.normpath(os.path.join(_real(self.own[0]), inside))  # noqa: PTH118  # as sys.path has them

    def variable(self) -> str:
        """Returns the value of the environment variable."""
        return json.dumps({"own": self.own, "other": self.other, "bytecode": self.bytecode})


@lru_cache(maxsize=4096)
def _real(path: str) -> str:
    return os.path.realpath(path or os.curdir)


def of_this_process() -> Places | None:
    """Returns the places of the side whose code this process runs; None where it is no side's."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    said: dict[str, Any] = json.loads(text)
    return Places(own=tuple(said["own"]), other=tuple(said["other"]), bytecode=said["bytecode"])


def stay() -> None:
    """Keeps this process' imports to its own side from now on, whatever the module search path says."""
    places = of_this_process()
    if places is None or any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    keep_source(places)
    sys.meta_path.insert(0, _Finder(places))


def keep_source(places: Places | None) -> None:
    """Has what this process compiles kept in the places' folder for that, so that their trees stay as they are."""
    if places is not None and places.bytecode and sys.pycache_prefix is None:
        sys.pycache_prefix = places.bytecode


class _Finder:
    """Finds modules as the other finders do, but searches the own side's folder in the place of each of the other's.

    The other side's folders come to be on the path by a workload that puts its own project there, by an editable
    install, by the working directory or by the user's PYTHONPATH.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of a module of this side or of neither.

        Raises:
            ModuleNotFoundError: the other side alone has it.
        """
        searched = list(sys.path if path is None else path)
        mapped = [self._places.instead(str(folder)) for folder in searched]
        foreign = False
        for finder in tuple(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            own_path = mapped if path is not None or finder is PathFinder else None
            spec = finder.find_spec(name, own_path, target)
            if spec is not None and self._is_foreign(spec):  # an editable install's finder knows one tree alone
                foreign, spec = True, PathFinder.find_spec(name, self._folders_instead(spec))
            if spec is not None and not self._is_foreign(spec):
                return spec
        if foreign or (mapped != searched and PathFinder.find_spec(name, searched) is not None):
            raise ModuleNotFoundError(f"No module named {name!r} on this side; the other side has it", name=name)
        return None

    def _is_foreign(self, spec: ModuleSpec) -> bool:
        places = _places_of(spec)
        return bool(places) and all(self._places.whose(place) == OTHER for place in places)

    def _folders_instead(self, spec: ModuleSpec) -> list[str]:
        """Returns the folders of this side in the place of those in which a module of the other one lies."""
        return [self._places.instead(os.path.dirname(place)) for place in _places_of(spec)]  # noqa: PTH120


def _places_of(spec: ModuleSpec) -> list[str]:
    """Returns the file of a module, or the folders of a package."""
    if spec.submodule_search_locations is not None:
        return [str(place) for place in spec.submodule_search_locations]
    return [spec.origin] if spec.has_location and spec.origin else []
