import importlib
import importlib.util
import json
import sys

import pytest

from loopstall.workloads import places
from loopstall.workloads.places import NEITHER, OTHER, OWN, VARIABLE, Places


@pytest.fixture
def trees(tmp_path):
    """The working tree, with an environment and the baseline's tree inside."""
    base, head = tmp_path / "head" / "cache" / "base", tmp_path / "head"
    for folder, value in ((base, "old"), (head, "new")):
        (folder / "lib").mkdir(parents=True)
        (folder / "lib" / "module_of_both.py").write_text(f"VALUE = {value!r}\n")
    (head / "lib" / "module_of_one.py").write_text("")
    (head / ".venv" / "lib").mkdir(parents=True)
    return base, head


def sides(trees):
    base, head = map(str, trees)
    return Places(own=(base,), other=(head,)), Places(own=(head,), other=(base,))


def test_innermost_folder_decides_whose_a_file_is(trees, monkeypatch):
    base, head = trees
    monkeypatch.setattr(sys, "prefix", str(head / ".venv"))
    baseline, candidate = sides(trees)
    assert [baseline.whose(str(path)) for path in (base / "lib", head / "lib", head)] == [OWN, OTHER, OTHER]
    assert [candidate.whose(str(path)) for path in (base / "lib", head / "lib", head)] == [OTHER, OWN, OWN]
    for side in (baseline, candidate):
        assert side.whose(str(head / ".venv" / "lib")) == NEITHER
        assert side.instead(str(head / ".venv" / "lib")) == str(head / ".venv" / "lib")
        assert side.whose(str(head.parent)) == NEITHER
    assert baseline.instead(str(head / "lib")) == str(base / "lib")
    assert candidate.instead(str(base / "lib")) == str(head / "lib")


def test_folder_of_a_name_that_begins_with_the_others_is_not_in_it(tmp_path):
    assert Places(own=(), other=(str(tmp_path / "app"),)).whose(str(tmp_path / "app2" / "x.py")) == NEITHER


@pytest.fixture
def imports(trees, monkeypatch):
    """This process as the baseline's, with the candidate's folder on the path."""
    monkeypatch.setenv(VARIABLE, sides(trees)[0].variable())
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", [str(trees[1] / "lib"), *sys.path])
    places.stay()
    yield
    sys.modules.pop("module_of_both", None)


@pytest.mark.usefixtures("imports")
def test_module_comes_from_the_own_side_though_the_path_names_the_other(trees):
    assert importlib.import_module("module_of_both").VALUE == "old"


@pytest.mark.usefixtures("imports")
def test_module_that_the_other_side_alone_has_is_missing_and_any_other_is_found():
    with pytest.raises(ModuleNotFoundError, match="on this side; the other side has it"):
        importlib.import_module("module_of_one")
    assert importlib.util.find_spec("no_such_module_anywhere") is None
    assert importlib.util.find_spec("this") is not None


@pytest.mark.usefixtures("imports")
def test_imports_are_kept_apart_once_however_often_it_is_asked_for():
    before = list(sys.meta_path)
    places.stay()
    assert sys.meta_path == before


def test_process_of_no_side_imports_as_ever(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    before = list(sys.meta_path)
    places.stay()
    assert sys.meta_path == before
    assert places.of_this_process() is None


def test_places_travel_in_the_environment(monkeypatch):
    there = Places(own=("/ä b",), other=("/c",), bytecode="/d")
    monkeypatch.setenv(VARIABLE, there.variable())
    assert places.of_this_process() == there
    assert json.loads(there.variable())["own"] == ["/ä b"]
