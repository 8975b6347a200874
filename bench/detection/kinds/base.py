"""A kind of stall: what runs, in which thread, how it is made as long as wanted, and what is true of it.

The truth about lines is marked in the source: of the functions that take the time, the lines that end in the mark.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
import importlib.util
from pathlib import Path
import time
from typing import Any

FOLDER = Path(__file__).resolve().parent
MARK = "# here"
_TRIES = 12
_TOO_LONG = 0.1  # of a length, that is put up with
_SLACK = 1.04  # what is asked for at the threshold is not to stay below it
_STEP = 16


def same(size: int) -> int:
    """Returns a size as the argument that it is."""
    return size


@dataclass(frozen=True)
class Sizing:
    """How work is made as long as wanted: by an argument of a size, which is prepared before the stall.

    The time that it takes grows with ``size ** power``; ``first`` is tried first.
    """

    prepare: Callable[[int], Any] = same
    power: float = 1
    first: int = 1000


@dataclass(frozen=True)
class Work:
    """A function that takes the time, with others whose marked lines count as well.

    Without a sizing it is given the seconds that it is to take.
    """

    function: Callable[[Any], Any]
    sizing: Sizing | None = None
    also: tuple[Callable[..., Any], ...] = ()

    @property
    def name(self) -> str:
        """Its name in tables of sizes."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def places(self) -> set[str]:
        """Returns the marked lines, as ``file.py:line``, and where the others begin: a call may be seen just there."""
        begins = {f"{Path(one.__code__.co_filename).name}:{one.__code__.co_firstlineno}" for one in self.also}
        return begins.union(*map(_marked, (self.function, *self.also)))

    def argument(self, seconds: float, sizes: dict[str, int]) -> Any:
        """Returns what the function is to be called with.

        Args:
            seconds: how long it is to take.
            sizes: as ``size_of`` has found them, by ``key``.
        """
        return self.sizing.prepare(sizes[self.key(seconds)]) if self.sizing else seconds

    def key(self, seconds: float) -> str:
        """Returns by what its size for a length stands in a table of sizes."""
        return f"{self.name} {seconds * 1000:.4g}"

    def size_of(self, seconds: float, first: int) -> int:
        """Returns the size with which it takes so long here, found by trying from a first one on."""
        assert self.sizing
        size = first
        for _ in range(_TRIES):
            argument = self.sizing.prepare(size)
            begun = time.perf_counter()
            run(self.function, argument)
            ratio = seconds * _SLACK / (time.perf_counter() - begun)
            if 1 / (1 + _TOO_LONG) < ratio <= _SLACK:
                break
            size = max(1, round(size * min(_STEP, ratio ** (1 / self.sizing.power))))
        return size


@dataclass(frozen=True)
class Part:
    """Work for a share of the length, in the loop's thread or in another.

    Args:
        work: what takes the time.
        share: of the length that is asked for.
        thread: the name of the thread, "" for one that nobody has named; None for the loop's own.
        lasting: whether the thread is there all the time and waits for its work.
    """

    work: Work
    share: float = 1.0
    thread: str | None = None
    lasting: bool = True


@dataclass(frozen=True)
class Kind:
    """Parts that run at once or in one turn of the loop; the one with the greatest share is the culprit.

    Args:
        cause: the true one.
        group: what it is counted with.
        parts: what runs; those in threads that have no share begin first.
        known_length: whether it is known how long the loop is kept.
        needs: a package without which there is none.
    """

    cause: str
    group: str
    parts: tuple[Part, ...]
    known_length: bool = True
    needs: str = ""

    @property
    def culprit(self) -> Part:
        """The part that takes most of the time."""
        return max(self.parts, key=lambda part: part.share)

    @property
    def in_loop(self) -> bool:
        """Whether the loop's own thread takes the time."""
        return self.culprit.thread is None

    def missing(self) -> str:
        """Returns why it cannot be measured here, "" where it can."""
        return f"{self.needs} is not installed" if self.needs and importlib.util.find_spec(self.needs) is None else ""


def run(function: Callable[[Any], Any], argument: Any) -> None:
    """Calls a function, or drives a coroutine that never waits to its end."""
    coroutine = function(argument)
    if hasattr(coroutine, "send"):
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError(f"{function} has waited")


@cache
def _marked(function: Callable[..., Any]) -> frozenset[str]:
    code = function.__code__
    path = Path(code.co_filename)
    text = path.read_text(encoding="utf-8").splitlines()
    found = set()
    for number in range(code.co_firstlineno + 1, len(text) + 1):
        if text[number - 1] and not text[number - 1].startswith((" ", ")")):
            break
        if text[number - 1].endswith(MARK):
            found.add(f"{path.name}:{number}")
    return frozenset(found)
