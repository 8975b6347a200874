"""Runs that are interrupted or killed: what was measured is kept, what is missing is completed, no process is left."""

import os
import signal
import subprocess
import sys

from helpers import loopstall, marked, until, write_workloads
import pytest

from loopstall.results import store

pytestmark = pytest.mark.once

SLOW = """
@workload
def slow(seed):
    time.sleep(0.05)
    return seed
slow.verify(ok)
"""

LASTING = """
@workload
def lasting(seed):
    if os.environ.get("STRAY"):
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(600)
    return seed
lasting.verify(ok)
"""


def start(folder, *words, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "loopstall", "run", "mine.py", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env, "LOOPSTALL_TEST": str(folder)},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_run_is_valid_and_resume_completes_it(tmp_path, number):
    write_workloads(tmp_path, SLOW)
    process = start(tmp_path, "-s", "inline", "-s", "processes", "--jobs", 2, "--processes", 5, "-o", "out")
    assert until(lambda: len(list((tmp_path / "out" / "runs").glob("*.json"))) >= 2)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "loopstall run --resume -o out" in stderr
    assert "Traceback" not in stderr
    saved = store.load([tmp_path / "out"])
    assert 2 <= len(saved.runs) < 10
    assert saved.warnings == ()
    assert "partial" in (tmp_path / "out" / "index.html").read_text()
    assert marked(tmp_path) == []
    done = loopstall("run", "--resume", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    complete = store.load([tmp_path / "out"])
    assert len(complete.runs) == 10
    assert set(saved.runs) <= set(complete.runs)


def test_resume_finds_the_newest_partial_result_and_redoes_what_is_damaged(tmp_path):
    write_workloads(tmp_path, SLOW)
    words = ("-s", "inline", "--jobs", 1, "--processes", 3, "-o", "reports/one")
    assert loopstall("run", "mine.py", *words, cwd=tmp_path).returncode == 0
    victim = sorted((tmp_path / "reports" / "one" / "runs").iterdir())[1]
    victim.write_text("{")
    done = loopstall("run", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "passed over" in done.stderr
    found = store.load([tmp_path / "reports" / "one"])
    assert (len(found.runs), found.warnings) == (3, ())


@pytest.mark.skipif(sys.platform != "linux", reason="finding strays needs /proc")
def test_killed_parent_leaves_no_process(tmp_path):
    write_workloads(tmp_path, LASTING)
    process = start(tmp_path, "-s", "processes", "--jobs", 4, "--processes", 1, "-o", "out", STRAY="1")
    assert until(lambda: any("sleep(600)" in " ".join(p.cmdline()) for p in marked(tmp_path)))
    process.kill()
    process.communicate(timeout=60)
    assert until(lambda: not marked(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="nohup is POSIX")
def test_nohup_is_respected(tmp_path):
    write_workloads(tmp_path, SLOW)
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "loopstall", "run", "mine.py", "-s", "inline", "--jobs", "2", "-o", "out"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert until(lambda: list((tmp_path / "out" / "runs").glob("*.json")))
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
