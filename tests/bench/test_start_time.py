"""The bench of start times fails where one has grown."""

from pathlib import Path
import subprocess
import sys

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "start_time.py"

pytestmark = pytest.mark.once


@pytest.fixture
def checkout(tmp_path):
    """A checkout of a package that imports nothing."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "start_time.py").write_bytes(SCRIPT.read_bytes())
    (tmp_path / "src" / "loopstall").mkdir(parents=True)
    (tmp_path / "src" / "loopstall" / "__init__.py").touch()
    setting = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *setting, *words], cwd=tmp_path, check=True)
    return tmp_path


def measured(checkout, *words):
    words = (sys.executable, "bench/start_time.py", "--only", "import loopstall", "--pairs", "3", *words)
    return subprocess.run(words, cwd=checkout, capture_output=True, text=True, timeout=120, check=False)


def test_package_that_computes_when_it_is_imported_is_found_slower(checkout):
    code = "import time\nwhile time.process_time() < 0.4:\n    pass\n"
    (checkout / "src" / "loopstall" / "__init__.py").write_text(code, encoding="utf-8")
    slower = measured(checkout, "--limit", "1.5")
    assert slower.returncode == 1, slower.stdout + slower.stderr
    assert "certainly more than 1.5" in slower.stdout
    assert measured(checkout, "--limit", "1e6").returncode == 0


def test_commit_that_nobody_knows_is_said_in_a_sentence(checkout):
    unknown = measured(checkout, "--baseline", "nowhere")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("cannot read commit nowhere: ")
    assert "Traceback" not in unknown.stderr
