"""Ways out that need something started beside the program: a queue with its broker, a cluster."""

import os
import shutil
import signal
import subprocess
import sys
import time

from helpers import command_line, loopstall, marked, write_workloads
import pytest

pytestmark = [pytest.mark.once]

ECHO = """
@workload
def echo(seed):
    \"\"\"Returns its seed.\"\"\"
    return seed
echo.verify(ok)
"""
WORK = """
@workload
def big(seed):
    \"\"\"Returns bytes, which JSON could not carry.\"\"\"
    return bytes(seed % 7)
@big.verify
def _(result, seed): return result == bytes(seed % 7)

@workload
def raises(seed):
    \"\"\"Fails.\"\"\"
    raise ValueError("no such luck")
raises.verify(ok)

"""


@pytest.fixture
def mine(tmp_path):
    return write_workloads(tmp_path, WORK)


def run(mine, *words, **extra):
    return loopstall("run", mine, "--processes", "1", *words, "-o", "out", cwd=mine.parent, **extra)


@pytest.mark.alone  # a worker has to start in time
@pytest.mark.parametrize("broker", ["redis", "files"])
def test_celery_does_every_job_and_leaves_nothing_behind(mine, tmp_path, broker):
    pytest.importorskip("celery")
    env = dict(os.environ)
    if broker == "redis":
        pytest.importorskip("redis")
        if shutil.which("redis-server") is None:
            pytest.skip("there is no redis-server")
    else:
        env["PATH"] = str(tmp_path)
    done = run(mine, "--jobs", "12", "-s", "celery", env=env)
    assert done.returncode == 3, done.stderr  # of the one that raises
    assert "a job raised ValueError: no such luck" in " ".join(done.stdout.split())
    assert "1 cell failed" in " ".join(done.stdout.split())
    assert not marked(tmp_path)


@pytest.mark.parametrize(
    ("module", "words", "part"),
    [
        (
            "celery",
            ("celery", "--broker-url", "redis://127.0.0.1:9/0"),
            "cannot reach the broker redis://127.0.0.1:9/0",
        ),
        (
            "distributed",
            ("dask", "--dask-scheduler", "tcp://127.0.0.1:9"),
            "cannot reach the scheduler tcp://127.0.0.1:9",
        ),
    ],
)
def test_what_cannot_be_reached_is_a_failed_cell(mine, module, words, part):
    pytest.importorskip(module)
    echo = write_workloads(mine.parent, ECHO, "echo.py")
    done = run(echo, "--jobs", "4", "-s", *words)
    assert done.returncode == 3
    assert part in " ".join(done.stdout.split())
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_worker_that_dies_fails_the_cell_at_once(mine, tmp_path):
    pytest.importorskip("celery")
    process = subprocess.Popen(
        [sys.executable, "-m", "loopstall", "run", f"{mine}", "--processes", "1", "--seconds", "40s", "-s", "celery",
         "-o", "out"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "LOOPSTALL_TEST": str(tmp_path)},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:  # each of the two cells has one
        for one in marked(tmp_path):
            if "celery_app" in command_line(one):
                os.kill(one.pid, signal.SIGKILL)
        time.sleep(0.2)
    said = " ".join(process.communicate(timeout=60)[0].split())
    assert process.returncode == 3
    assert "the Celery worker has ended" in said
    assert not marked(tmp_path)


def test_dask_does_every_job_and_leaves_nothing_behind(mine, tmp_path):
    pytest.importorskip("distributed")
    done = run(mine, "--jobs", "12", "-s", "dask")
    assert done.returncode == 3, done.stderr
    assert "1 cell failed" in " ".join(done.stdout.split())
    assert not marked(tmp_path)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="it has them")
def test_interpreters_are_skipped_with_the_reason(mine):
    done = run(mine, "--jobs", "2", "-s", "interpreters")
    assert done.returncode == 5
    assert "comes with Python 3.14" in " ".join(done.stdout.split())
