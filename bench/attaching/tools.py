"""The tools that look at a process which runs already, at their own doors: a dump, a recording, a watch."""

from collections.abc import Sequence
from dataclasses import dataclass
import importlib.metadata
import importlib.util
from pathlib import Path
import re
import sys

_BIN = Path(sys.executable).parent
_PLACE = re.compile(r'service\.py(?:", line |:(?:[\w.<>]+:)?)(\d+)')


@dataclass(frozen=True)
class Tool:
    """A tool, and its commands with ``{pid}``, ``{seconds}`` and ``{out}`` in them; () for what it has not."""

    name: str
    package: str
    dump: Sequence[str]
    record: Sequence[str]

    def missing(self) -> str:
        """Returns why it cannot be run here, "" where it can."""
        if self.package:
            try:
                importlib.metadata.version(self.package)
            except importlib.metadata.PackageNotFoundError:
                return f"it is not installed (pip install {self.package})"
        elif importlib.util.find_spec("profiling") is None:
            return "Python 3.15 and later have it"
        return ""

    def version(self) -> str:
        """Returns its version."""
        return importlib.metadata.version(self.package) if self.package else sys.version.split()[0]

    def command(self, template: Sequence[str], **values: object) -> list[str]:
        """Returns the words of one of its commands."""
        return [word.format(**values) for word in template]


_LOOPSTALL = (sys.executable, "-m", "loopstall")
_SAMPLING = (sys.executable, "-m", "profiling.sampling")
_PY_SPY = (str(_BIN / "py-spy"),)
TOOLS = [
    Tool(
        "loopstall", "loopstall", (*_LOOPSTALL, "dump", "{pid}"),
        (*_LOOPSTALL, "watch", "--pid", "{pid}", "--duration", "{seconds}s", "-o", "{out}.json"),
    ),
    Tool(
        "py-spy", "py-spy", (*_PY_SPY, "dump", "--pid", "{pid}"),
        (*_PY_SPY, "record", "--pid", "{pid}", "-d", "{seconds}", "-f", "raw", "-o", "{out}.raw", "--idle", "-t"),
    ),
    Tool(
        "Tachyon", "", (*_SAMPLING, "dump", "-a", "{pid}"),
        (*_SAMPLING, "attach", "-a", "-d", "{seconds}", "--collapsed", "-o", "{out}.raw", "{pid}"),
    ),
    Tool("perpetuo", "perpetuo", (), ()),
]  # fmt: skip
NEEDS = {"perpetuo": "it looks at programs that have called it, at Trio's tasks, and at the GIL of a patched CPython"}
"""Why a tool has no door for a process of asyncio's."""


def places(text: str) -> set[int]:
    """Returns the lines of the service that a text names."""
    return {int(number) for number in _PLACE.findall(text)}


def said_of(text: str, lines: set[int]) -> str:
    """Returns what a dump says that the thread does which is in one of the lines; "" where it says nothing."""
    for block in re.split(r"\n(?=(?:Thread|  thread|thread)\b)", text, flags=re.IGNORECASE):
        if places(block) & lines:
            head = block.strip().splitlines()[0]
            found = re.search(r"[(\[]([^()\[\]]*)[)\]]:?(?: \"|$)", head) or re.search(r"(?:: |, )(.*)", head)
            return found[1].strip() if found else ""
    return ""


def profiled(raw: str, lines: set[int]) -> tuple[int, int]:
    """Returns how many samples of a recording have one of the lines as the user's innermost, and how many there are."""
    hits = of = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        own = [int(number) for number in _PLACE.findall(stack)]
        if count.isdigit():
            of += int(count)
            hits += int(count) * bool(own and own[-1] in lines)
    return hits, of
