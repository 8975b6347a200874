"""The style note of CONTRIBUTING.md on docstrings."""

import ast
import re

from documents import ROOT
import pytest

SOURCE = ROOT / "src" / "loopstall"
MODULES = sorted(SOURCE.rglob("*.py"))
WITHOUT_ITS_NOUN = re.compile(r"(What|Who|Whose|Whoever|How|When|Where|Whether|Why|By what|Those that) ")


def docstrings(path):
    """Yields the docstrings of a module, of its definitions, and of the names that it assigns."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_docstring_begins_with_a_clause_without_its_noun(path):
    assert [text for text in docstrings(path) if WITHOUT_ITS_NOUN.match(text)] == []
