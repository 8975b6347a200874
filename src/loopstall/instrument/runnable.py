"""A check before a program is started: has Python anything to run?"""

import contextlib
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
import os
from pathlib import Path
import pkgutil
import subprocess
import sys

from loopstall.errors import InputError
from loopstall.instrument.supervisor import interpreter

__all__ = ["check"]

_PATIENCE_S = 10.0
_MISSING = 99
_ASK = f"""
import importlib.util, sys
name = sys.argv[1]
try:
    missing = importlib.util.find_spec(name) is None
except ModuleNotFoundError as error:
    missing = f"{{name}}.".startswith(f"{{error.name}}.")
sys.exit({_MISSING} if missing else 0)
"""


def check(module: str | None, words: tuple[str, ...]) -> None:
    """Raises an error where there is surely nothing to run; what is left open, Python says itself.

    Args:
        module: its name; None for a script.
        words: the script and its arguments, or those of the module.

    Raises:
        InputError: there is no such script or module, or Python would not read its environment.
    """
    flags = sys.flags
    if flags.isolated or flags.ignore_environment or flags.no_site:
        raise InputError(
            "a program is watched through its environment, which Python leaves alone with -I, -E or -S; start loopstall"
            " without it"
        )
    what = f"-m {module}" if module is not None else words[0]
    why = _nothing_in(module) if module is not None else _nothing_at(Path(words[0]))
    if why:
        raise InputError(f"cannot run {what}: {why}; name a script, or a module with -m")


def _nothing_at(path: Path) -> str:
    """Returns why a script, a folder or an archive has nothing to run, "" where it may have."""
    if not path.exists():
        return "it does not exist"
    if not os.access(path, os.R_OK):
        return "it cannot be read"
    if path.is_file() and path.suffix in {".py", ".pyc"}:
        return ""
    finder = pkgutil.get_importer(str(path)) if path.is_dir() or path.is_file() else None
    if finder is None or finder.find_spec("__main__") is not None:
        return ""
    return "there is no __main__ in it"


def _nothing_in(module: str) -> str:
    """Returns why there is nothing to run in a module, "" where there may be."""
    head, *rest = [*module.split("."), "__main__"]
    if not all((head, *rest)):
        return "that is no name of a module"
    folders = sys.path if sys.flags.safe_path else [str(Path.cwd()), *sys.path]
    name, spec = head, PathFinder.find_spec(head, folders) or _found_otherwise(head)
    if spec is None:
        return f"there is no module {name}"
    for part in rest:
        if spec.submodule_search_locations is None:
            return f"{name} is a module and holds no others" if part != "__main__" else ""
        name = f"{name}.{part}"
        inside = PathFinder.find_spec(name, list(spec.submodule_search_locations))
        if inside is None:
            return f"there is no module {name}" if _is_missing(name) else ""
        spec = inside
    return ""


def _found_otherwise(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # __main__ itself
        return None


def _is_missing(name: str) -> bool:
    """Asks another process whether the packages that a module should be in have none of that name.

    They may look for their modules in any place, which only their own code knows.
    """
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        done = subprocess.run([*interpreter(), "-c", _ASK, name], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=_PATIENCE_S, check=False)  # fmt: skip
        return done.returncode == _MISSING
    return False
