"""Nothing stands in the source that nothing uses; vulture looks for the rest (`nox -s lint`), and leaves these out."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for folder in ("src", "bench", "workloads") for path in (ROOT / folder).rglob("*.py"))

pytestmark = pytest.mark.once


def private(tree):
    """Private functions, classes and constants of a module, decorated ones apart: a decorator may keep them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name))


def used(tree):
    """Names that a module reads, in annotations that are strings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isprintable():
            yield from node.value.replace("[", " ").replace("]", " ").replace(",", " ").split()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_a_module_are_used_in_it(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(used(tree))
    dead = [name for name in private(tree) if name.startswith("_") and not name.endswith("__") and name not in known]
    assert not [name for name in dead if name != "_"]
