"""Finds phrases that the source and the documents do without; phrases.txt lists them.

    python tests/project/phrases.py [FILE ...]

Prints where each stands and what to write instead, and ends with 1 where there is one. Without a file it looks
through the whole project.
"""

from collections.abc import Iterator
from pathlib import Path
import re
import sys

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("phrases.txt")
LOOKED_THROUGH = (
    "src", "docs", "bench", "workloads", "examples", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md",
    "noxfile.py", "action.yml", "hatch_build.py",
)  # fmt: skip
WRITTEN_BY_US = {".py", ".md", ".rst", ".html", ".j2", ".css", ".js", ".toml", ".yml"}


def phrases() -> dict[str, str]:
    """Returns what to write instead of each phrase."""
    lines = (line for line in LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {phrase.strip(): instead.strip() for phrase, _, instead in (line.partition("|") for line in lines)}


def found(text: str) -> Iterator[tuple[int, str, str]]:
    """Yields (line, phrase, what to write instead); a phrase may go over the end of a line."""
    for phrase, instead in phrases().items():
        words = r"[\s#]+".join(map(re.escape, phrase.split()))
        for match in re.finditer(rf"(?<!\w){words}", text, re.IGNORECASE if phrase.islower() else 0):
            yield text.count("\n", 0, match.start()) + 1, phrase, instead


def files() -> Iterator[Path]:
    """Yields what is looked through."""
    for name in LOOKED_THROUGH:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in WRITTEN_BY_US and "vendor" not in file.parts:
                yield file


def main() -> int:
    """Prints what it has found."""
    count = 0
    for file in map(Path, sys.argv[1:]) if sys.argv[1:] else files():
        for line, phrase, instead in found(file.read_text(encoding="utf-8")):
            count += 1
            print(f"{file}:{line}: {phrase!r}; better: {instead}")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
