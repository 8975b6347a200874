"""A matrix over a real cluster: a scheduler and three worker processes, of which one is killed in the middle."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
import itertools
import os
import signal
import subprocess
import sys

from helpers import cell, loopstall, marked, plan, run, until, write_workloads
import pytest

from loopstall.errors import MeasurementError
from loopstall.results import store
from loopstall.runner import cluster as runner

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
    turns = runner.turns_of(slots)
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
    assert until(lambda: (busy := _busy(address)) is not None and os.kill(busy, signal.SIGKILL) is None)
    said = command.communicate(timeout=180)[0]
    assert command.returncode == 0, said
    runs = store.load([tmp_path / "out"]).runs
    assert Counter((run.cell, run.index) for run in runs) == Counter(
        {(run.cell, index): 1 for run in runs for index in range(5)}
    )
    assert len(runs) == 3 * 2 * 5
    assert all(run.measured is not None and run.environment.host for run in runs)
    assert "3 workers on 1 host: at most one run at a time on each host" in said
    assert len(overlaps(runs)) == 0
    for worker in workers:
        worker.kill()
        worker.wait()
    assert until(lambda: not marked(tmp_path))


def test_two_workers_on_one_host_never_measure_at_the_same_time(tmp_path, cluster):
    address, workers = cluster
    workers[2].kill()
    _await_workers(address, 2, exactly=True)
    mine = write_workloads(tmp_path, WORK)
    words = ("-s", "inline", "--processes", 3, "--seconds", "0.3s", "--on", "dask", "--scheduler", address)
    done = loopstall("run", mine, *words, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 workers on 1 host: at most one run at a time on each host" in done.stderr
    runs = store.load([tmp_path / "out"]).runs
    assert len(runs) == 3 * 3
    assert overlaps(runs) == []


def overlaps(runs):
    """Pairs of runs of which one began before the other had ended, by what their own records say."""
    spans = sorted(
        (begun := datetime.fromisoformat(run.started_at), begun + timedelta(microseconds=run.process_ns / 1000))
        for run in runs
    )
    # What a record says of the beginning is rounded down to a millisecond.
    return [(a, b) for a, b in itertools.pairwise(spans) if b[0] < a[1] - timedelta(milliseconds=1)]


def test_overlapping_runs_would_be_told():
    first, second = (replace(run(), started_at=f"2026-01-02T03:04:05.{ms}+00:00") for ms in ("000", "150"))
    assert len(overlaps([first, second])) == 1  # each takes 200 ms
    assert overlaps([first, replace(second, started_at="2026-01-02T03:04:05.200+00:00")]) == []


class FakeClient:
    """A cluster of workers on hosts whose turns come back when a test says so."""

    def __init__(self, hosts):
        self.hosts = dict(hosts)
        self.sent = []

    def scheduler_info(self, n_workers):
        return {"workers": {address: {"resources": {}, "nthreads": 1} for address in self.hosts}}

    def run(self, function, *, workers, on_error):
        return {address: self.hosts[address] for address in workers}

    def submit(self, function, turn, seeds, limits, *, workers, **_):
        future = FakeFuture(turn, workers)
        self.sent.append(future)
        return future

    def cancel(self, futures):
        for future in futures:
            future.cancelled = True


class FakeFuture:
    def __init__(self, turn, workers):
        self.turn, self.workers, self.ended, self.cancelled = turn, workers, False, False

    def done(self):
        return self.ended


def carried_out(client, turns, monkeypatch, act):
    """Carries turns out; ``act`` is called with those under way each time that is waited for."""

    def done(under_way):
        act(list(under_way))
        return [future for future in under_way if future.done()]

    monkeypatch.setattr(runner, "_done", done)
    hosts = runner._Hosts(client, None)
    return [sent for sent, _ in runner._carried_out(hosts, plan(), turns, None)]


def test_each_host_has_one_turn_at_a_time_whatever_its_workers(monkeypatch):
    client = FakeClient({"a1": "A", "a2": "A", "b1": "B"})
    turns = [[(cell(name), 0)] for name in "uvwxyz"]
    under_way_at_once = []

    def act(under_way):
        under_way_at_once.append(sorted(tuple(future.workers) for future in under_way))
        under_way[0].ended = True

    came_back = carried_out(client, turns, monkeypatch, act)
    assert sorted(sent.turn[0][0].workload.name for sent in came_back) == list("uvwxyz")
    assert under_way_at_once[0] == [("a1", "a2"), ("b1",)]
    assert all(len(set(now)) == len(now) for now in under_way_at_once)


def test_turn_of_a_host_that_has_no_worker_left_goes_to_another(monkeypatch):
    client = FakeClient({"a1": "A", "b1": "B"})

    def act(under_way):
        client.hosts.pop("a1", None)
        for future in under_way:
            future.ended = future.workers == ["b1"]

    came_back = carried_out(client, [[(cell(name), 0)] for name in "uvw"], monkeypatch, act)
    assert sorted(sent.turn[0][0].workload.name for sent in came_back) == list("uvw")
    assert {sent.host for sent in came_back} == {"B"}
    assert sum(future.cancelled for future in client.sent) == 1


def test_cluster_without_workers_is_not_waited_for_for_ever(monkeypatch):
    client = FakeClient({"a1": "A"})
    monkeypatch.setattr(runner, "_NOBODY_LIMIT_S", 0.0)

    def act(_):
        client.hosts.clear()

    with pytest.raises(MeasurementError, match="--resume"):
        carried_out(client, [[(cell(), 0)]], monkeypatch, act)


def test_workers_that_could_do_two_runs_at_a_time_are_refused(tmp_path):
    with pytest.raises(Exception, match="--nthreads 1"):
        runner._one_at_a_time({"tcp://a": {"resources": {}, "nthreads": 4}})
    assert runner._one_at_a_time({"tcp://a": {"resources": {}, "nthreads": 1}}) is None
    assert runner._one_at_a_time({"tcp://a": {"resources": {"loopstall": 1}, "nthreads": 4}}) == {"loopstall": 1}


def test_scheduler_that_cannot_be_reached_is_a_sentence(tmp_path):
    pytest.importorskip("distributed")
    mine = write_workloads(tmp_path, WORK)
    done = loopstall("run", mine, "--on", "dask", "--scheduler", "tcp://127.0.0.1:9", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot reach the scheduler" in done.stderr
    alone = loopstall("run", mine, "--on", "dask", cwd=tmp_path)
    assert alone.returncode == 2
    assert "go together" in alone.stderr


def _busy(address):
    """The process of the worker that has a turn just now."""
    from distributed import Client

    with Client(address, timeout=30) as client:
        busy = next((worker for worker, tasks in client.processing().items() if tasks), None)
        return client.run(os.getpid, workers=[busy])[busy] if busy else None


def _await_workers(address, count, *, exactly=False):
    from distributed import Client

    with Client(address, timeout=30) as client:
        client.wait_for_workers(count, timeout=60)
        assert not exactly or until(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == count)
