"""Every block of the documents is one that a test runs, reads or has marked as an illustration."""

import ast
import re
import tomllib

from documents import DOCUMENTS, ILLUSTRATION, ROOT, blocks, commands
import pytest

BLOCKS = blocks()
RUN = {"python", "ipython", "console", "sh", "toml", "yaml", "diff", ""}
"""Languages that have a test here: "" is an output, which test_outputs.py makes anew, "diff" a change, which test_extending.py applies, "ipython" cells, which tests/integrations/test_notebook.py runs."""


def ids(items):
    return [str(item) for item in items]


@pytest.mark.parametrize("block", BLOCKS, ids=ids(BLOCKS))
def test_block_has_a_language_that_is_tested_or_is_an_illustration(block):
    assert block.illustration or block.language in RUN


def test_illustrations_are_few():
    """Each of them is a promise that nobody checks."""
    marked = [block for block in BLOCKS if block.illustration]
    lines = [line for path in DOCUMENTS for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines.count(ILLUSTRATION) == len(marked)
    assert {(block.document, block.language) for block in marked} == {
        ("docs/architecture.md", ""),  # a diagram
    }


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=str)
def test_yaml_can_be_read(block):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "toml"], ids=str)
def test_toml_can_be_read(block):
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=str)
def test_python_can_be_read(block):
    assert ast.parse(block.text)


def test_readme_begins_with_two_commands_and_ci_calls_the_second():
    first, second = [item.text for item in commands() if item.block.document == "README.md"][:2]
    assert first.endswith("nox -s bench")
    assert second.endswith("nox -s tests")
    assert second in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_links_between_documents_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_files_that_the_documents_name_exist():
    yours = {"workloads/login.py", "workloads/thumbnails.py"}
    for document in DOCUMENTS:
        named = re.findall(r"`(\w[\w.-]*/[\w./-]+\.(?:py|toml|json))`", document.read_text(encoding="utf-8"))
        places = (ROOT, ROOT / "src" / "loopstall", document.parent)
        assert [name for name in named if name not in yours and not any((at / name).exists() for at in places)] == []
