"""The errors that end a command, each with its exit code, and those that end a run, each with its kind."""

from collections.abc import Iterable
import difflib
from typing import ClassVar

__all__ = [
    "InconclusiveError",
    "InputError",
    "LoopstallError",
    "MeasurementError",
    "RunFailureError",
    "Terminated",
    "did_you_mean",
    "not_installed",
]


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class LoopstallError(Exception):
    """A failure that a user can act on, said in one sentence; the command line prints it and exits."""

    exit_code = 3


class InputError(LoopstallError):
    """Wrong usage, or input that cannot be read."""

    exit_code = 2


class MeasurementError(LoopstallError):
    """A measurement that failed or could not be saved."""

    exit_code = 3


class RunFailureError(Exception):
    """A failure of a run, said in one sentence inside the measuring process; each subclass names its ``kind``."""

    kind: ClassVar[str]
    """The value of a result's ``error.kind``."""


class InconclusiveError(LoopstallError):
    """Nothing was measured, or too little to say anything."""

    exit_code = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a hint for a misspelt word.

    Args:
        word: the user's word.
        known: the words that would have been right.

    Returns:
        "did you mean 'x'?" where something is close, else the list of what there is.
    """
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose one of: {', '.join(words)}" if words else "there is none"


def not_installed(module: str, package: str = "") -> str | None:
    """Returns that a module is not installed, with how to install it; None where it is there.

    Args:
        module: its top-level name.
        package: what pip calls the package that has it, where that is another name.
    """
    from importlib.util import find_spec

    if find_spec(module) is not None:
        return None
    return f"{module} is not installed (pip install {package or module})"
