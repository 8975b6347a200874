"""The floor of the tests' coverage, which the session `tests` holds on one Python."""

import os
from pathlib import Path
import subprocess
import sys
import tomllib

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "pyproject.toml"

pytestmark = pytest.mark.once


def coverage(folder, *words):
    """Runs coverage with the project's settings and with data of its own."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-m", "coverage", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**variables, "COVERAGE_RCFILE": str(SETTINGS), "COVERAGE_FILE": str(folder / "data")},
    )  # fmt: skip


def test_tests_that_cover_little_fail_by_the_floor(tmp_path):
    (tmp_path / "starts.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'loopstall', '--version'], check=True)\n"
    )
    assert coverage(tmp_path, "run", "starts.py").returncode == 0
    assert coverage(tmp_path, "combine", "--quiet").returncode == 0
    floor = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["coverage"]["report"]["fail_under"]
    report = coverage(tmp_path, "report")
    assert report.returncode == 2, report.stdout + report.stderr
    assert f"is less than fail-under={floor}" in report.stdout
    line = next(line for line in report.stdout.splitlines() if "cli/entry.py" in line)
    assert not line.endswith(" 0%"), "what a command of a test runs is counted"


def test_floor_is_not_met_by_nothing(tmp_path):
    assert coverage(tmp_path, "report").returncode == 1
