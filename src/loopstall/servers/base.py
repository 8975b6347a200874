"""The interface of a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopstall.errors import not_installed
from loopstall.records.cells import INLINE

__all__ = ["Server", "needs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A way to serve a light route and a heavy one, in processes of its own.

    ``missing`` returns why this machine cannot have it, or None. ``command`` gives the arguments of a Python that
    serves on a port of this machine. ``dispatches`` are the ways in which it can run the heavy route. ``workers`` says
    how many processes answer, and ``loops`` whether they have event loops.
    """

    name: str
    summary: str
    missing: Callable[[], str | None]
    command: Callable[[int], Sequence[str]]
    dispatches: tuple[str, ...] = (INLINE,)
    workers: int = 1
    loops: bool = False


def needs(*modules: str) -> Callable[[], str | None]:
    """Returns what says which of some modules is not installed, and how to install it."""

    def missing() -> str | None:
        return next(filter(None, map(not_installed, modules)), None)

    return missing
