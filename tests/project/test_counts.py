"""A count and its noun agree: "1 finding", "2 findings"; `records.units.counted` sees to it."""

import ast
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOUNS = (
    "cells", "runs", "stalls", "results", "findings", "frames", "processes", "pairs", "files", "rounds", "rows",
    "entries", "hosts", "machines", "workers", "tasks", "tests", "lines", "figures", "samples",
)  # fmt: skip
COUNTED = re.compile(rf"^ (?:more |other |further )?(?:{'|'.join(NOUNS)})\b")
NEVER_ONE = {"{FEWEST_RUNS} runs", "{MIN_RUNS} runs", "{MIN_RUNS} processes", "{pid} runs", "{thread_id} runs", "{planned.fewest} rounds", "{MOST_ROUNDS} rounds", "{_TOTAL_LIMIT} runs",
             "{width} workers", "{len(paths)} results", "{len(names)} cells", "{count} cells",
             "{_QUICK} runs", "{_RIGOROUS} runs", "{_MANY} cells"}  # fmt: skip
"""Constants, counts of which one has been ruled out before, and verbs."""

pytestmark = pytest.mark.once


def plurals(tree):
    """Every interpolated value of a module that a plural noun follows, with the noun."""
    for node in ast.walk(tree):
        for value, after in zip(node.values, node.values[1:], strict=False) if isinstance(node, ast.JoinedStr) else ():
            noun = COUNTED.match(after.value) if isinstance(after, ast.Constant) else None
            if isinstance(value, ast.FormattedValue) and noun:
                yield f"{{{ast.unparse(value.value)}}}{noun[0]}"


def test_plural_after_an_interpolated_count_is_found():
    assert list(plurals(ast.parse('f"{n} cells and {m:,} more rows of {counted(k, 1)} each"'))) == [
        "{n} cells",
        "{m} more rows",
    ]


def test_counts_are_written_with_their_noun_in_the_right_number():
    found = {
        f"{path.name}: {text}"
        for path in (ROOT / "src").rglob("*.py")
        for text in plurals(ast.parse(path.read_text(encoding="utf-8")))
        if text not in NEVER_ONE
    }
    assert not found
