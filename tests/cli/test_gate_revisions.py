"""The gate against a revision: trees, builds and the cache that holds them."""

import os
import subprocess

from gated import LIBRARY, QUICK, UNTRAPPED, WORKLOAD, gate
from helpers import loopstall
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.once]  # what is compared are processes, whatever the Python


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A git checkout with two commits of a plain folder of code."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mylib.py").write_text(LIBRARY)
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "lib.py").write_text(WORKLOAD)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_revision_is_compared_with_the_working_tree_and_cleaned_up(checkout):
    path = checkout / "src" / "mylib.py"
    path.write_text(LIBRARY.replace("range(n)", "range(20 * n)"))
    cache = {"XDG_CACHE_HOME": str(checkout / "cache")}
    done = gate(checkout, *QUICK, env=cache)  # against main, uncommitted changes count
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"working tree against {git(checkout, 'rev-parse', 'HEAD')[:12]}" in " ".join(done.stdout.split())
    done = gate(checkout, "--baseline", "nothing", env=cache)
    assert done.returncode == 2
    assert "no revision 'nothing'" in done.stderr
    assert list((checkout / "cache").rglob("mylib.py"))
    assert "cache" not in git(checkout, "worktree", "list")
    done = loopstall("gate", "--clean", cwd=checkout, env={**os.environ, **cache})
    assert done.returncode == 0
    assert not list((checkout / "cache").rglob("*.py"))


@pytest.mark.slow
def test_projects_own_build_is_compared_and_one_that_fails_is_shown(checkout):
    (checkout / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling>=1.26"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mylib"\nversion = "1"\n[tool.hatch.build.targets.wheel]\ninclude = ["src/mylib.py"]\n'
        'sources = ["src"]\n'
    )
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "two")
    path = checkout / "src" / "mylib.py"
    path.write_text(LIBRARY.replace("range(n)", "range(20 * n)"))
    cache = {"XDG_CACHE_HOME": str(checkout / "cache")}
    done = gate(checkout, *QUICK, *UNTRAPPED, env=cache)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "regressed: calc" in done.stdout, done.stdout
    assert "time per job +" in " ".join(done.stdout.split())
    (checkout / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "nowhere"\n')
    done = gate(checkout, *QUICK, env=cache)
    assert done.returncode == 2
    assert "does not build; its last output" in done.stderr
    assert "nowhere" in done.stderr
    assert path.exists()
