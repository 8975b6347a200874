"""The owner of a frame's code: the user, Python, a package or loopstall."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
import re
import sysconfig

from loopstall.records import Frame

__all__ = ["culprit", "is_users"]


_PACKAGE = Path(__file__).resolve().parent.parent


_LIBRARIES = tuple(
    {
        str(Path(folder).resolve())
        for folder in (sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib"))
        if folder
    }
)


_ANY_LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib(64)?[/\\]python3\.\d+t?)[/\\]")
"""A folder of packages, or of Python's own library, of whatever Python: a process that is looked at may run another."""


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Returns whether a file is the user's own code: neither Python's, nor a package's, nor loopstall's."""
    if file.startswith("<") or _ANY_LIBRARY.search(file):
        return False
    try:
        path = Path(file).resolve()
    except (ValueError, OSError):  # code may name any text as its file
        return False
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "_bundled")
    return not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def culprit(stack: Sequence[Frame]) -> Frame | None:
    """Returns the innermost frame of the user's own code, else the innermost frame there is."""
    for frame in stack:
        if is_users(frame.file):
            return frame
    return stack[0] if stack else None
