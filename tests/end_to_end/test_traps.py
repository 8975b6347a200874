"""Real traps, and programs that do it right, each run under ``loopstall watch`` and under the pytest plugin."""

import json
import os
from pathlib import Path
import subprocess
import sys

from helpers import loopstall
import pytest

from loopstall.monitor.gil import has_gil

pytestmark = pytest.mark.alone

FOLDER = Path(__file__).parent / "traps"
NEEDS_GIL = [path.stem for path in FOLDER.glob("*.py") if "NEEDS_GIL = True" in path.read_text()]
TRAPS = sorted(path.stem for path in FOLDER.glob("*.py") if has_gil() or path.stem not in NEEDS_GIL)
HEALTHY = sorted(path.stem for path in (FOLDER / "healthy").glob("*.py"))


def culprits(path):
    """The lines of a trap that may be blamed."""
    return {number for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# culprit")}


def judge(name, stalls):
    """Holds the longest stall in a trap's own file against what the file says of itself."""
    path = FOLDER / f"{name}.py"
    blamed = [(stall, stall["stall"]["holder"] or stall["stall"]["culprit"]) for stall in stalls]
    own = [(stall, frame) for stall, frame in blamed if frame is not None and frame["line"] in culprits(path)]
    assert own, f"no stall of {name} names its line: {[(frame, stall['length_ns']) for stall, frame in blamed]}"
    worst, frame = max(own, key=lambda item: item[0]["length_ns"])
    assert Path(frame["file"]).name == path.name
    assert worst["stall"]["cause"] in _causes(path), worst["stall"]["rule"]


def _causes(path):
    line = next(line for line in path.read_text().splitlines() if line.startswith("CAUSES = "))
    return eval(line.partition("=")[2].partition("#")[0])  # noqa: S307  # our own file


def test_there_are_ten_of_each():
    assert len(TRAPS) >= 10
    assert len(HEALTHY) >= 10
    assert all(culprits(FOLDER / f"{name}.py") for name in TRAPS)


@pytest.mark.once
@pytest.mark.parametrize("name", TRAPS)
def test_trap_is_named_with_line_and_cause_under_watch(tmp_path, name):
    done = loopstall("watch", "--threshold", "50ms", "-o", "out.json", FOLDER / f"{name}.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    judge(name, json.loads((tmp_path / "out.json").read_text())["stalls"])


@pytest.mark.skipif(has_gil(), reason="this Python has a GIL")
@pytest.mark.parametrize("name", NEEDS_GIL)
def test_trap_of_the_gil_is_none_where_there_is_none(tmp_path, name):
    done = loopstall("watch", "--fail-over", "100ms", FOLDER / f"{name}.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gil-wait" not in done.stderr
    assert "GIL" not in done.stderr


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """All of them as tests of one session with the plugin, and what it reported."""
    folder = tmp_path_factory.mktemp("traps")
    for source in (FOLDER, FOLDER / "healthy"):
        for path in source.glob("*.py"):
            (folder / path.name).write_text(path.read_text())
    names = "\n".join(f"import {name}" for name in (*TRAPS, *HEALTHY))
    tests = "\n".join(f"def test_{name}():\n    asyncio.run({name}.main())\n" for name in (*TRAPS, *HEALTHY))
    (folder / "test_all.py").write_text(f"import asyncio\n{names}\n\n{tests}")
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "loopstall.pytest_plugin", "-rA",
         "--stall-budget", "100ms", "--stall-report", "out.json"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder)},
    )  # fmt: skip
    return done, json.loads((folder / "out.json").read_text())["stalls"]


@pytest.mark.parametrize("name", TRAPS)
def test_trap_fails_its_test_and_is_named_under_the_plugin(session, name):
    done, stalls = session
    assert f"FAILED test_all.py::test_{name}" in done.stdout, done.stdout
    judge(name, [stall for stall in stalls if stall["test"] == f"test_all.py::test_{name}"])


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_program_passes_under_the_plugin(session, name):
    done, _ = session
    assert f"PASSED test_all.py::test_{name}" in done.stdout, done.stdout


@pytest.mark.once
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_of_a_healthy_program_is_flagged_under_watch(tmp_path, name):
    done = loopstall("watch", "--fail-over", "100ms", FOLDER / "healthy" / f"{name}.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
