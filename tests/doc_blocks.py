"""Writes the Python blocks of the documents as modules, for mypy: a module a document, each line where it stands there.

    python tests/doc_blocks.py FOLDER

A block after a line ``<!-- illustration -->`` is left out. What the reader has of his own (``app``, ``main``) is not
defined there, and not held against a block.
"""

from pathlib import Path
import sys

ROOT = Path(__file__).resolve().parent.parent
ILLUSTRATION = "<!-- illustration -->"


def module_of(document: str) -> str:
    """Returns the Python blocks of a Markdown text, and empty lines for all that is between them."""
    lines, inside, before = [], False, ""
    for line in document.splitlines():
        fence = line.strip().startswith("```")
        if fence:
            inside = not inside and line.strip() == "```python" and before != ILLUSTRATION
        lines.append(line if inside and not fence else "")
        before = line.strip() or before
    return "\n".join(lines).rstrip() + "\n"


def main(folder: Path) -> None:
    """Writes the modules and prints their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        text = module_of(path.read_text(encoding="utf-8"))
        if text.strip():
            target = folder / f"{path.stem.replace('-', '_')}_md.py"
            target.write_text(text, encoding="utf-8")
            print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
