"""What runs before a commit is what `nox -s lint types` runs."""

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".pre-commit-config.yaml"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not FILE.is_file(), reason="the tests of an sdist have no file for pre-commit"),
]


def run_by_nox(*names):
    """The commands of sessions of noxfile.py, without the paths of what they check."""
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "session.run":
                    yield " ".join(word.value for word in call.args if isinstance(word, ast.Constant)).removesuffix(
                        " ."
                    )


def test_each_hook_is_a_command_of_the_sessions_and_needs_no_other_versions():
    (repository,) = yaml.safe_load(FILE.read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    commands = set(run_by_nox("lint", "types"))
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in commands
    assert {hook["id"] for hook in repository["hooks"]} == {"ruff", "ruff-format", "lint-imports", "phrases", "mypy"}
