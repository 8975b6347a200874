"""A matrix over a real cluster: a scheduler and three worker processes, of which one is killed in the middle."""

from collections import Counter
import os
import signal
import subprocess
import sys

from helpers import cell, loopstall, marked, until, write_workloads
import pytest

from loopstall import spread, store

pytestmark = [pytest.mark.once]

WORK = """
@workload(params={"ms": [1, 2, 3]})
def nap(seed, ms):
    \"\"\"Waits.\"\"\"
    time.sleep(ms / 1000)
    return seed
@nap.verify
def _(result, seed, ms): return result == seed
"""


def test_a_turn_has_all_strategies_of_one_row_and_round():
    slots = [(cell(name, dispatch=way), index) for index in (0, 1) for name in "ab" for way in ("inline", "threads")]
    turns = spread.turns_of(slots)
    assert len(turns) == 4
    assert all(len({(one.row, index) for one, index in turn}) == 1 for turn in turns)
    assert Counter(slot for turn in turns for slot in turn) == Counter(slots)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler's address and its workers' processes."""
    pytest.importorskip("distributed")
    started = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", *words, "--scheduler-file", str(tmp_path / "scheduler.json")],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "LOOPSTALL_TEST": str(tmp_path)},
        )  # fmt: skip
        started.append(process)
        return process

    start("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard")
    until((tmp_path / "scheduler.json").exists)
    address = None
    while not address:
        text = (tmp_path / "scheduler.json").read_text()
        address = next((part for part in text.split('"') if part.startswith("tcp://")), None)
    workers = [
        start("distributed.cli.dask_worker", "--no-nanny", "--nthreads", "2", "--resources", "loopstall=1",
              "--no-dashboard", "--name", f"worker-{number}")
        for number in range(3)
    ]  # fmt: skip
    yield address, workers
    for process in reversed(started):
        process.kill()
        process.wait()


def test_killed_worker_loses_nothing_and_nothing_counts_twice(tmp_path, cluster):
    address, workers = cluster
    _await_workers(address, 3)
    mine = write_workloads(tmp_path, WORK)
    command = subprocess.Popen(
        [sys.executable, "-m", "loopstall", "run", str(mine), "-s", "inline", "-s", "to_thread", "--processes", "5",
         "--seconds", "0.2s", "--on", "dask", "--scheduler", address, "-o", "out"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "LOOPSTALL_TEST": str(tmp_path)},
    )  # fmt: skip
    until(lambda: len(list((tmp_path / "out").glob("**/*.json"))) > 4 or command.poll() is not None)
    workers[0].send_signal(signal.SIGKILL)
    said = command.communicate(timeout=180)[0]
    assert command.returncode == 0, said
    runs = store.load([tmp_path / "out"]).runs
    assert Counter((run.cell, run.index) for run in runs) == Counter(
        {(run.cell, index): 1 for run in runs for index in range(5)}
    )
    assert len(runs) == 3 * 2 * 5
    assert all(run.measured is not None and run.environment.host for run in runs)
    for worker in workers:
        worker.kill()
        worker.wait()
    assert until(lambda: not marked(tmp_path))


def test_workers_that_could_do_two_runs_at_a_time_are_refused(tmp_path):
    with pytest.raises(Exception, match="--nthreads 1"):
        spread._one_at_a_time({"tcp://a": {"resources": {}, "nthreads": 4}})
    assert spread._one_at_a_time({"tcp://a": {"resources": {}, "nthreads": 1}}) is None
    assert spread._one_at_a_time({"tcp://a": {"resources": {"loopstall": 1}, "nthreads": 4}}) == {"loopstall": 1}


def test_scheduler_that_cannot_be_reached_is_a_sentence(tmp_path):
    pytest.importorskip("distributed")
    mine = write_workloads(tmp_path, WORK)
    done = loopstall("run", mine, "--on", "dask", "--scheduler", "tcp://127.0.0.1:9", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot reach the scheduler" in done.stderr
    alone = loopstall("run", mine, "--on", "dask", cwd=tmp_path)
    assert alone.returncode == 2
    assert "go together" in alone.stderr


def _await_workers(address, count):
    from distributed import Client

    with Client(address, timeout=30) as client:
        client.wait_for_workers(count, timeout=60)
