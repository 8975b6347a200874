"""What the built packages hold, and that they work where they are installed."""

import json
from pathlib import Path
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    words[-1] for one in PROJECT["classifiers"] if "." in (words := one.split(" :: "))[-1] and words[1] == "Python"
]

pytestmark = pytest.mark.slow


def run(*words, cwd, **extra):
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, **extra)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


TEMPLATES = ROOT / "src" / "loopstall" / "report" / "page" / "templates"


def test_wheel_holds_code_workloads_template_and_licences(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "loopstall").rglob("*.py")}
    expected = {
        *sources,
        *(f"loopstall/_bundled/workloads/{path.name}" for path in (ROOT / "workloads").glob("*.py")),
        "loopstall/py.typed",
        "loopstall/integrations/grafana/dashboard.json",
        *(f"loopstall/report/page/templates/{path.name}" for path in TEMPLATES.iterdir()),
        "loopstall/report/page/vendor/uPlot-1.6.32.iife.min.js",
        "loopstall/report/page/vendor/uPlot-1.6.32.min.css",
        "loopstall/report/page/vendor/uPlot-LICENSE.txt",
    }
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("uPlot-LICENSE.txt") and ".dist-info/" in name for name in names)


def test_sdist_holds_what_builds_and_tests_it(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("pyproject.toml", "hatch_build.py", "noxfile.py", "README.md", "LICENSE", "CHANGELOG.md"):
        assert name in names
    for folder in ("workloads", "tests", "bench", "docs", "examples", "src/loopstall"):
        files = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert files <= names
    assert not any("__pycache__" in name or name.startswith("reports/") for name in names)


def test_same_pythons_are_promised_everywhere():
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}." in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"PYTHONS = {json.dumps(PYTHONS)}\n" in (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def resolved(built, *words, cwd):
    (wheel,) = built.glob("*.whl")
    said = run(*words, "--dry-run", "--ignore-installed", "--quiet", "--report", "-", f"{wheel}[suite]", cwd=cwd)
    return {one["metadata"]["name"].lower() for one in json.loads(said)["install"]}


SUITE = {"numpy", "scipy", "pandas", "pyperf", "uvloop", "msgspec", "aiofiles", "pytest-benchmark"}


@pytest.mark.once
@pytest.mark.parametrize("version", PYTHONS)
def test_suite_has_wheels_for_every_python_that_is_promised(built, tmp_path, version):
    there = ("--python-version", version, "--only-binary", ":all:", "--target", tmp_path / "there")
    assert resolved(built, sys.executable, "-m", "pip", "install", *there, cwd=tmp_path) >= SUITE


@pytest.mark.once
@pytest.mark.parametrize("version", PYTHONS)
def test_suite_resolves_in_every_python_that_is_there(built, tmp_path, version):
    this = "{}.{}".format(*sys.version_info) == version
    python = sys.executable if this else shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no Python {version}")
    words = (sys.executable, "-m", "pip", "--python", python, "install")
    assert resolved(built, *words, cwd=tmp_path) >= SUITE


SHORT = ("--jobs", "2", "--concurrency", "2", "--processes", "1", "-o", "out")


def works_from_anywhere(python, folder, *strategies):
    folder.mkdir()
    own = folder / "workloads"
    own.mkdir()
    (own / "mine.py").write_text(
        "from loopstall import workload\n\n@workload\ndef mine(seed):\n    return seed\n\n"
        "@mine.verify\ndef _(result, seed):\n    return result == seed\n"
    )
    chosen = [word for name in strategies for word in ("-s", name)]
    shown = run(python, "-m", "loopstall", "run", "--bundled", *chosen, *SHORT, cwd=folder)
    for name in ("blocking_sleep", "hashing", "file_io", "mine"):
        assert name in shown
    assert (folder / "out" / "index.html").is_file()
    done = subprocess.run([python, "-m", "loopstall", "compare", "out", "out"], cwd=folder, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 5, done.stdout + done.stderr  # one process a cell is too few to tell
    assert f"{21 * len(strategies)} inconclusive" in done.stdout


@pytest.mark.once
def test_wheel_and_editable_install_run_the_bundled_workloads_from_any_folder(built, tmp_path):
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    python = venv / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    (wheel,) = built.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    listed = run(python, "-m", "pip", "list", "--format=freeze", cwd=tmp_path)
    assert "uvloop" not in listed
    assert "uvloop is not installed" in run(python, "-m", "loopstall", "list", cwd=tmp_path)
    works_from_anywhere(python, tmp_path / "wheel", "inline", "processes")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT, cwd=tmp_path)
    works_from_anywhere(python, tmp_path / "editable", "inline")
