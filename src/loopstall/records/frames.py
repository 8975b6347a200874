"""The owner of a frame's code: the user, Python, a package or loopstall."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
import re
import sysconfig

from loopstall.records import Frame

__all__ = [
    "LOOP_HANDLE",
    "culprit",
    "is_librarys",
    "is_users",
    "library_of",
    "loop_at",
    "place_in_library",
    "shortened",
]

LOOP_HANDLE = ("asyncio/events.py", "Handle._run")
_LOOPS = {
    LOOP_HANDLE,
    ("asyncio/base_events.py", "BaseEventLoop._run_once"),
    ("asyncio/base_events.py", "BaseEventLoop.run_forever"),
    ("asyncio/base_events.py", "BaseEventLoop.run_until_complete"),
    ("asyncio/runners.py", "Runner.run"),
    ("_core/_run.py", "unrolled_run"),
}
"""File and function of what runs callbacks or tasks: of asyncio, which is there with other loops too, and of trio."""


_PACKAGE = Path(__file__).resolve().parent.parent


_LIBRARIES = tuple(
    {
        str(Path(folder).resolve())
        for folder in (sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib"))
        if folder
    }
)


_CELL = "<ipython-input-"  # IPython's name for what was typed there; a kernel of Jupyter gives it a path

_ANY_LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib(64)?[/\\]python3\.\d+t?)[/\\]")
"""A folder of packages, or of Python's own library, of whatever Python: a process that is looked at may run another."""

_INSTALLED = re.compile(r".*[/\\](?:site-packages|dist-packages|lib(?:64)?[/\\]python3\.\d+t?)[/\\](.+)", re.DOTALL)


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Returns whether a file is the user's own code: neither Python's, nor a package's, nor loopstall's."""
    if file.startswith("<"):
        return file.startswith(_CELL)
    if _ANY_LIBRARY.search(file) or _is_ours(file):
        return False
    try:
        path = Path(file).resolve()
    except (ValueError, OSError):  # code may name any text as its file
        return False
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "_bundled")
    return not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def _is_ours(file: str) -> bool:
    """Returns whether a file is one of loopstall's, also in another checkout: a report may be read elsewhere."""
    _, found, rest = file.replace("\\", "/").rpartition("/src/loopstall/")
    return bool(found) and not rest.startswith("_bundled/") and (_PACKAGE / rest).is_file()


def is_librarys(file: str) -> bool:
    """Returns whether a file belongs to a library or to Python; that of `python -c` may be anybody's, and does not."""
    return not is_users(file) and (not file.startswith("<") or file.startswith("<frozen "))


def culprit(stack: Sequence[Frame]) -> Frame | None:
    """Returns the innermost frame of the user's own code, else the innermost frame there is."""
    for frame in stack:
        if is_users(frame.file):
            return frame
    return stack[0] if stack else None


def loop_at(stack: Sequence[Frame]) -> int | None:
    """Returns where in a stack the loop's own part begins, from the innermost frame on; None where it has none."""
    return next((depth for depth, frame in enumerate(stack) if place_in_library(frame) in _LOOPS), None)


def place_in_library(frame: Frame) -> tuple[str, str]:
    """Returns the end of a frame's file and its function, by which a library's function is known anywhere."""
    return _end_of(frame.file), frame.function


@lru_cache(maxsize=4096)
def _end_of(file: str) -> str:
    """Returns the name of a file with that of its folder."""
    return "/".join(file.replace("\\", "/").split("/")[-2:])


def library_of(file: str) -> str:
    """Returns the name of the library of a file, like ``uvicorn`` or ``asyncio``; "" for the user's own code."""
    if is_users(file):
        return ""
    path = Path(file)
    if _is_ours(file) or (path.is_absolute() and path.is_relative_to(_PACKAGE)):
        return _PACKAGE.name
    installed = _INSTALLED.match(file)
    if installed:
        inside = installed[1]
    else:
        inside = next((str(path.relative_to(one)) for one in _LIBRARIES if path.is_relative_to(one)), path.name)
    first = re.split(r"[/\\]", inside)[0]
    return first.removesuffix(".py").strip("<>") or "an unknown library"


def shortened(stack: Sequence[Frame], most: int) -> list[Frame | int]:
    """Returns what to show of a stack: its innermost frames and the user's; a number for those left out between.

    Args:
        stack: innermost frame first.
        most: so many frames at most; half of them are the innermost ones, the others the user's while there are some.
    """
    kept = set(range(min(len(stack), most - most // 2)))
    users = (at for at, frame in enumerate(stack) if at not in kept and is_users(frame.file))
    kept.update(islice(users, most - len(kept)))
    others = (at for at in range(len(stack)) if at not in kept)
    kept.update(islice(others, most - len(kept)))
    shown: list[Frame | int] = []
    for at, frame in enumerate(stack):
        if at in kept:
            shown.append(frame)
        elif shown and isinstance(shown[-1], int):
            shown[-1] += 1
        else:
            shown.append(1)
    return shown
