"""What an index and a reader of a citation learn about the project."""

import importlib.util
from pathlib import Path
import tomllib

import pytest
import yaml

import loopstall

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.once


def urls(monkeypatch, **variables):
    """The URLs of a build with these variables."""
    pytest.importorskip("hatchling")
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    metadata = {}
    module.ProjectUrls(str(ROOT), {}).update(metadata)
    return metadata["urls"]


def test_release_names_its_repository_site_and_issues(monkeypatch):
    found = urls(monkeypatch, GITHUB_SERVER_URL="https://github.com", GITHUB_REPOSITORY="ann/loopstall")
    assert found["Source"] == "https://github.com/ann/loopstall"
    assert found["Documentation"] == "https://ann.github.io/loopstall/"
    assert found["Issues"].startswith(found["Source"])


@pytest.mark.parametrize(
    "variables", [{}, {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "ann/shop"}]
)
def test_build_elsewhere_names_no_repository(monkeypatch, variables):
    assert set(urls(monkeypatch, **variables)) == {"Homepage"}


def test_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == loopstall.__version__
    assert cited["license"] == PROJECT["license"]


def test_classifiers_are_typed_and_name_the_newest_pythons():
    classifiers = PROJECT["classifiers"]
    assert {
        "Typing :: Typed",
        "Programming Language :: Python :: 3.14",
        "Programming Language :: Python :: 3.15",
    } <= set(classifiers)
    assert (ROOT / "src" / "loopstall" / "py.typed").is_file()
    known = pytest.importorskip("trove_classifiers").classifiers
    assert [item for item in classifiers if item not in known] == []
