"""The public interface: one list of names, each of which can be imported, is documented and stands on docs/api.md."""

import importlib
import re
import subprocess
import sys

from documents import ROOT
import pytest

import loopstall

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = {
    "loopstall": loopstall.__all__, "loopstall.asgi": ["StallMiddleware"],
    "loopstall.integrations.logs": ["StallLogger"], "loopstall.integrations.otel": ["StallSpanProcessor"],
    "loopstall.metrics": ["BUCKETS", "LoopFigures", "LoopMetrics"],
}  # fmt: skip


@pytest.mark.once
def test_pages_are_what_the_code_writes(tmp_path):
    subprocess.run([sys.executable, ROOT / "bench" / "schemas.py", tmp_path], check=True)
    assert (tmp_path / "api.md").read_text(encoding="utf-8") == PAGE, "docs/api.md: nox -s schema"
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert (tmp_path / "findings.md").read_text(encoding="utf-8") == findings, "docs/findings.md: nox -s schema"


def test_list_of_names_and_table_of_their_modules_agree():
    assert sorted(loopstall.__all__) == sorted([*loopstall._LAZY, "__version__"])


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names])
def test_every_public_name_is_there_with_a_text(module, name):
    found = getattr(importlib.import_module(module), name)
    if name != "__version__":
        assert re.search(rf"^### `{name}\b", PAGE, re.MULTILINE)
        assert found.__doc__


@pytest.mark.parametrize("module", [name for name in PUBLIC if name != "loopstall"])
def test_modules_beside_the_package_list_what_they_offer(module):
    assert importlib.import_module(module).__all__ == PUBLIC[module]


def test_fixtures_are_those_of_the_plugin():
    from loopstall import pytest_plugin

    shown = PAGE.partition("## Fixtures of the pytest plugin")[2]
    fixtures = {name for name in pytest_plugin.__all__ if not name.startswith("pytest_")}
    assert set(re.findall(r"^### `(\w+)`", shown, re.MULTILINE)) == fixtures
