"""The documents of the project, their code blocks, and a folder in which what they show can be tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "reports").rglob("README.md")), ROOT / "examples" / "README.md", ROOT / "SECURITY.md",
]  # fmt: skip

ILLUSTRATION = "<!-- illustration -->"
"""Stands on the line before a block that cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a document.

    Args:
        document: where it stands, as a path within the project.
        line: of its fence.
        language: what is written behind the fence, "" for nothing.
        text: what is in it.
        illustration: whether it is marked as one.
    """

    document: str
    line: int
    language: str
    text: str
    illustration: bool

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that a block shows, and what the block shows of its output."""

    block: Block
    text: str
    output: str


def blocks() -> list[Block]:
    """Returns every fenced block of every document."""
    return [block for path in DOCUMENTS for block in _of(path)]


def _of(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence" and token.map is not None:
            before = [line for line in lines[: token.map[0]] if line.strip()][-1:]
            yield Block(
                document=path.relative_to(ROOT).as_posix(),
                line=token.map[0] + 1,
                language=token.info.strip(),
                text=token.content,
                illustration=before == [ILLUSTRATION],
            )


def commands() -> list[Command]:
    """Returns every command that the documents show: lines after ``$`` in a console's block, all lines of a shell's."""
    found = []
    for block in blocks():
        if block.language == "sh":
            found += [Command(block=block, text=_bare(line), output="") for line in block.text.splitlines()]
        elif block.language == "console":
            for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                text, _, output = piece.partition("\n")
                found.append(Command(block=block, text=_bare(text), output=output))
    return found


def _bare(line: str) -> str:
    """Takes the comment off a command."""
    return re.sub(r"\s+# .*$", "", line)


def shape(text: str) -> list[str]:
    """Returns the lines of an output without what differs from run to run: figures, their units, dates, spaces."""
    return [line for line in map(_shape, text.splitlines()) if line]


def _shape(line: str) -> str:
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"[┏┳┓┃┡╇┩│├┼┤└┴┘━─╞╪╡]+", " ", line)
    line = re.sub(r" \([^()]+ without a CPU\)", "", line)  # which a busy machine adds
    line = re.sub(r"\d{4}-\d\d-\d\d", "<date>", line)
    line = re.sub(r"(?<![\w.])\d[\d,.]*( ?(ns|µs|ms|s|%|/s))?(?![\w])", "<n>", line)
    line = re.sub(r"(Task|SpawnProcess)-\d+", r"\1-<n>", line)
    return " ".join(line.split())
