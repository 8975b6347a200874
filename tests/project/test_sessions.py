"""Every session of noxfile.py is documented, and CI runs it."""

import ast
from pathlib import Path
import re
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOXFILE = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


pytestmark = pytest.mark.once


def sessions():
    """The functions that nox offers, by name."""
    return {
        node.name: node
        for node in NOXFILE.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(word) for word in node.decorator_list)
    }


def run_whole():
    """The sessions that CI runs as they are."""
    calls = re.findall(r"^(?:.*&& )?python -m nox -s (.+)$", CI, re.MULTILINE)
    return {name for words in calls for name in words.split()}


def smoked():
    """The sessions whose smoke form the session `smoke` runs."""
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "smoke.py", "--list"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_ci_runs_every_session_whole_or_in_its_smoke_form():
    assert "smoke" in run_whole()
    assert run_whole() | smoked() == set(sessions())
    assert not run_whole() & smoked()


@pytest.mark.parametrize("name", sorted(sessions()))
def test_session_says_what_it_does_and_stands_in_the_table_of_contributing(name):
    assert re.match(r"[A-Z].+\.$", ast.get_docstring(sessions()[name]), re.DOTALL)
    table = re.findall(r"^\| `nox -s ([^`]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert name in {word for words in table for word in words.split()}


@pytest.mark.parametrize("name", sorted(sessions().keys() - run_whole()))
def test_session_has_its_smoke_form_run_where_it_is_asked_for(name):
    assert "smoke_form(session)" in ast.unparse(sessions()[name])


def test_smoke_runs_what_bench_smoke_lists():
    assert "bench/smoke.py" in ast.unparse(sessions()["smoke"])
    assert "session.notify(name, ['--smoke'])" in ast.unparse(sessions()["smoke"])


def test_every_script_of_bench_is_run_by_a_session():
    noxfile = ast.unparse(NOXFILE)
    for script in (ROOT / "bench").glob("*.py"):
        if "__main__" in script.read_text(encoding="utf-8") or script.name.startswith("test_"):
            assert f"bench/{script.name}" in noxfile, script.name


def test_smoke_says_what_is_missing_and_fails(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "docs").mkdir()
    for name in ("smoke.py", "smoke_checks.py", "smoke_watching.py", "schemas.py", "api.py", "findings.py"):
        (tmp_path / "bench" / name).write_bytes((ROOT / "bench" / name).read_bytes())
    for name in ("report.schema.json", "stalls.schema.json", "api.md", "findings.md"):
        (tmp_path / "docs" / name).write_bytes((ROOT / "docs" / name).read_bytes())
    words = [sys.executable, tmp_path / "bench" / "smoke.py", "schema"]
    good = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith("smoke schema: ")
    (tmp_path / "docs" / "stalls.schema.json").write_text("{}", encoding="utf-8")
    bad = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert bad.returncode == 1
    assert "docs/stalls.schema.json is not what the code writes; run nox -s schema" in bad.stderr
    assert "Traceback" not in bad.stderr
