"""Runs commands for the smoke forms and looks at what they leave: outputs, results folders, figures."""

from collections.abc import Iterable, Sequence
import json
from pathlib import Path
import re
import subprocess
import sys
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 300
OURS = ("-m", "loopstall")
NUMBER = r"\d+(?:\.\d+)?"


class MissingError(Exception):
    """What a session should have left or printed is not there."""


def run(*words: object, codes: Iterable[int] = (0,)) -> str:
    """Runs a command in the checkout and returns what it printed.

    Raises:
        MissingError: it ended with another exit code.
    """
    command = [*map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
    )
    if done.returncode not in codes:
        raise MissingError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def python(*words: object, codes: Iterable[int] = (0,)) -> str:
    """Runs this Python."""
    return run(sys.executable, *words, codes=codes)


def found(pattern: str, text: str, *, least: int = 1) -> list[str]:
    """Returns what a pattern matches in a text.

    Raises:
        MissingError: less often than it should.
    """
    matches = re.findall(pattern, text, re.MULTILINE)
    if len(matches) < least:
        raise MissingError(f"{pattern!r} is there {len(matches)} times instead of {least}:\n{text[-4000:]}")
    return matches


def need(what: object, otherwise: str) -> None:
    """Fails with a sentence where something is missing."""
    if not what:
        raise MissingError(otherwise)


def result(folder: Path, *, absent: str = "(?!)") -> list[dict[str, Any]]:
    """Looks at a results folder: its page, and figures of every cell.

    Args:
        folder: where it is.
        absent: matches the reasons for which a cell may be left out here.

    Returns:
        The cells, as the published schema has them.
    """
    need((folder / "index.html").stat().st_size > 10_000, f"{folder}/index.html is next to empty")
    document = json.loads(python(*OURS, "report", folder, "--format", "json"))
    cells: list[dict[str, Any]] = document["cells"]
    for cell in cells:
        where = f"{cell['workload']} {cell['params']} {cell['loop']}/{cell['dispatch']}"
        need(not cell["error"], f"{where}: {cell['error']}")
        for figure in ("throughput", "response_p99", "lag_p99", "availability", "longest_stall"):
            need(figure in cell["figures"], f"{where} has no {figure}")
        need(cell["figures"]["throughput"]["value"] > 0, f"{where} has done nothing")
    for item in document["skipped"]:
        need(re.search(absent, item["reason"]), f"left out: {item}")
    return cells


def strategies(cells: Sequence[dict[str, Any]]) -> set[str]:
    """Returns the strategies of cells."""
    return {f"{cell['loop']}/{cell['dispatch']}" for cell in cells}


def sources() -> str:
    """Returns the text of all workloads."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workloads").glob("*.py")))
