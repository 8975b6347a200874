"""The gate in real repositories of every shape: each side runs its own code."""

import shutil
import sys

import pytest
from repositories import NEW, OLD, ONE_PAIR, Repository, assert_each_side_ran_its_own, workload

pytestmark = pytest.mark.once  # what is asked is whose code ran, which depends on no Python and no machine


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "ein Ordner für Tests" / "repo")


@pytest.mark.parametrize("here", [".", "services/shop"])
@pytest.mark.parametrize("place", ["", "src/"])
def test_folder_without_a_project_runs_its_own_code_wherever_in_the_repository_it_lies(repository, here, place):
    repository.commit({f"{here}/{place}shop.py": OLD, f"{here}/workloads/w.py": workload(), "README": "1"})
    repository.commit({f"{here}/{place}shop.py": NEW}, branch="change")
    before = repository.state()
    done = repository.gate("calc", *ONE_PAIR, "--results", repository.root.parent / "out", here=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_side_ran_its_own(repository)
    assert repository.state() == before


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param(
            "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'lib'))\nimport shop",
            id="put on the path by the workload",
        ),
        pytest.param("import shop", id="beside the workload"),
        pytest.param("from company.deep import shop", id="in a namespace package"),
    ],
)
def test_code_is_each_sides_own_by_whatever_way_it_is_imported(repository, imports):
    place = {"sys": "lib/shop.py", "shop": "workloads/shop.py", "company": "company/deep/shop.py"}[
        imports.split()[1].strip(",").split(".")[0]
    ]
    repository.commit({place: OLD, "workloads/w.py": workload(imports), "company/other.py": ""})
    repository.commit({place: NEW}, branch="change")
    done = repository.gate("workloads/w.py", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    module = next(name for name in repository.imported("baseline") if name.endswith("shop"))
    assert_each_side_ran_its_own(repository, module)


EDITABLE = {
    "a path": "import sys\nsys.path.append({lib!r})\n",
    "a finder": """
import importlib.util, os, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        file = os.path.join({lib!r}, f"{{name}}.py")
        return importlib.util.spec_from_file_location(name, file) if os.path.exists(file) else None
sys.meta_path.append(Finder)
""",
}
"""The two ways in which build backends make an editable install, each at the start of the interpreter."""


@pytest.mark.parametrize("way", list(EDITABLE))
def test_editable_install_of_the_working_tree_is_not_what_the_baseline_runs(repository, way):
    repository.commit({"lib/shop.py": OLD, "workloads/w.py": workload(), "lib/other.py": ""})
    repository.commit({"lib/shop.py": NEW, "lib/fresh.py": NEW}, branch="change")
    site = repository.root.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(EDITABLE[way].format(lib=str(repository.root / "lib")))
    env = {"PYTHONPATH": str(site)}
    done = repository.gate("calc", *ONE_PAIR, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_side_ran_its_own(repository)
    repository.commit({"workloads/w.py": workload("import fresh", "fresh.work()")})  # which the baseline has not
    done = repository.gate("calc", *ONE_PAIR, "--results", "../second", env=env)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "calc: the baseline runs its own w.py" in said
    assert "No module named 'fresh' on this side" in said


def test_workers_of_a_side_run_its_code_as_well(repository):
    checked = workload().replace("return True", "return result == shop.VALUE")  # in the process that has the proof
    repository.commit({"lib/shop.py": OLD, "lib/workloads/w.py": checked})
    repository.commit({"lib/shop.py": NEW}, branch="change")
    done = repository.gate("calc", "-s", "processes", *ONE_PAIR, "--results", "../../out", here="lib")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_side_ran_its_own(repository)


def test_interpreters_run_what_is_installed_there_rather_than_the_working_directory(repository):
    repository.commit(
        {
            "shop.py": OLD,
            "workloads/w.py": workload(),
            "here.py": "",
            "workloads/h.py": workload("import here", "1", name="local"),
        }
    )
    pythons = []
    for name in ("one", "other"):
        place = repository.root.parent / name
        place.mkdir()
        (place / "shop.py").write_text(NEW)
        (place / "python").write_text(f'#!/bin/sh\nPYTHONPATH="{place}" exec "{sys.executable}" "$@"\n')
        (place / "python").chmod(0o755)
        pythons.append(place / "python")
    done = repository.gate(
        "calc", "local", *ONE_PAIR, "--baseline-python", pythons[0], "--candidate-python", pythons[1]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "both interpreters ran the same here.py: what is compared is the rest" in " ".join(done.stdout.split())


def test_submodule_has_the_commit_that_each_side_asks_for(repository):
    other = Repository(repository.root.parent / "library")
    other.commit({"shop.py": OLD})
    repository.git("submodule", "--quiet", "add", str(other.root), "lib")
    repository.commit({"workloads/w.py": workload("from lib import shop")})
    other.commit({"shop.py": NEW})
    repository.git("pull", "-q", folder=repository.root / "lib")
    repository.commit({}, branch="change")
    done = repository.gate("calc", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_side_ran_its_own(repository, "lib.shop")


def test_detached_checkout_with_its_history_is_compared_with_the_default_branch(repository):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload()})
    repository.commit({"shop.py": NEW}, branch="change")
    repository.git("checkout", "-q", "--detach")
    done = repository.gate("calc", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_side_ran_its_own(repository)


C_SOURCE = """
#include <Python.h>
static PyObject *value(PyObject *self, PyObject *none) {{ return PyUnicode_FromString("{value}"); }}
static PyMethodDef methods[] = {{{{"value", value, METH_NOARGS, 0}}, {{0}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_fast", 0, -1, methods}};
PyMODINIT_FUNC PyInit__fast(void) {{ return PyModule_Create(&module); }}
"""
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1"
[tool.setuptools]
packages = ["shop"]
package-dir = { "" = "src" }
ext-modules = [{ name = "shop._fast", sources = ["src/shop/fast.c"] }]
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is missing")
def test_project_in_a_subfolder_with_a_compiled_extension_is_built_for_each_side(repository):
    here = "packages/shop"
    repository.commit({
        "README": "1",
        f"{here}/pyproject.toml": PROJECT,
        f"{here}/src/shop/__init__.py": OLD,
        f"{here}/src/shop/gone.py": OLD,
        f"{here}/src/shop/fast.c": C_SOURCE.format(value="old"),
        f"{here}/workloads/w.py": workload("import shop, shop._fast", "shop.work() + shop._fast.value()"),
    })  # fmt: skip
    repository.commit(
        {f"{here}/src/shop/fast.c": C_SOURCE.format(value="new"), f"{here}/src/shop/gone.py": None}, branch="change"
    )
    before = repository.state()
    done = repository.gate("calc", *ONE_PAIR, "--results", "../../../out", here=here, env={"PYTHONPATH": "src"})
    assert done.returncode == 0, done.stdout + done.stderr
    for side, value in (("baseline", b"old"), ("candidate", b"new")):
        found = repository.imported(side)
        assert value in found["shop._fast"].read_bytes()
        assert found["shop"].parent == found["shop._fast"].parent
    assert repository.state() == before
    assert not [path for path in (repository.root.parent / "cache").rglob("gone.py") if "environments" in path.parts]
    (repository.root / "README").write_text("2")  # builds are found again, and no environment is built
    repository.git("commit", "-q", "-am", "more")
    done = repository.gate("calc", *ONE_PAIR, "--results", "../../../second", here=here, env={"PYTHONPATH": "src"})
    assert (done.returncode, "building an environment" in done.stderr) == (0, False)
