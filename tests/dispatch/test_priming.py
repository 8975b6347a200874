"""What is done only once is done before the clock starts: by counts of imports, threads and jobs, under every dispatch."""

import json
from pathlib import Path
import subprocess
import sys

from helpers import loopstall, write_workloads
import pytest

from loopstall.dispatch import DISPATCHES
from loopstall.loops import LOOPS
from loopstall.results import store
from loopstall.runner import matrix
from loopstall.workloads.loader import load_file

JOBS, CLIENTS = 6, 3
STARTING = {"http_download", "pool_start", "sqlite", "subprocess_wait"}
"""Workloads of which each job starts threads of its own: pools, connections of aiosqlite, waits for a process."""

STRATEGIES = [
    pytest.param(strategy, id=str(strategy), marks=[] if strategy.dispatch == "interpreters" else pytest.mark.once)
    for strategy in matrix.strategies(everything=True)
]
"""Interpreters are there on later Pythons alone."""
BUNDLED = [item for path in sorted(Path(__file__).parents[2].glob("workloads/*.py")) for item in load_file(str(path))]

COUNTING = """
_done = [0]

@workload
def nth(seed):
    \"\"\"Returns how many jobs this process, or this interpreter, had done before.\"\"\"
    _done[0] += 1
    time.sleep(0.002)
    return _done[0] - 1
@nth.async_version()
async def _(seed):
    return nth.function(seed)
@nth.verify
def _(result, seed): return result >= LEAST

"""

COLD = """
_done = []

@workload(primed=False)
def cold(seed):
    \"\"\"Returns how many jobs this process has done.\"\"\"
    _done.append(seed)
    return len(_done)
@cold.verify
def _(result, seed): return result <= 3
"""


def skip_what_is_missing(strategy, item):
    reason = (
        LOOPS[strategy.loop].missing()
        or item.why_not(strategy.dispatch, dict(item.points()[0]))
        or DISPATCHES[strategy.dispatch].missing(item)
    )
    if reason:
        pytest.skip(reason)


def first_jobs(item, point, strategy):
    """What was imported and started while the clock ran, in a fresh process."""
    asked = {
        "path": item.path, "name": item.name, "params": point, "loop": strategy.loop, "dispatch": strategy.dispatch,
        "jobs": JOBS, "concurrency": CLIENTS,
    }  # fmt: skip
    driver = Path(__file__).with_name("first_job.py")
    done = subprocess.run(
        [sys.executable, driver, json.dumps(asked)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["jobs"] == JOBS
    return told


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_worker_of_every_dispatch_has_done_a_job_before_the_clock_starts(tmp_path, strategy):
    path = write_workloads(tmp_path, COUNTING.replace("LEAST", "1"))
    skip_what_is_missing(strategy, load_file(str(path))[0])
    done = loopstall("run", path, "-s", strategy, "--jobs", JOBS, "--processes", 1, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = store.load([tmp_path / "out"]).runs
    assert run.measured.jobs == JOBS


@pytest.mark.once
def test_a_job_that_is_the_first_of_its_worker_would_be_told(tmp_path):
    """With more jobs asked for than priming does, the same check says no."""
    path = write_workloads(tmp_path, COUNTING.replace("LEAST", "50"))
    done = loopstall("run", path, "-s", "inline", "--jobs", JOBS, "--processes", 1, cwd=tmp_path)
    assert done.returncode == 3
    assert "returned 2, which verify does not accept" in " ".join(done.stdout.split())


@pytest.mark.once
@pytest.mark.parametrize("dispatch", ["inline", "threads", "to_thread"])
def test_workload_whose_first_job_matters_is_not_primed(tmp_path, dispatch):
    path = write_workloads(tmp_path, COLD)
    done = loopstall("run", path, "-s", dispatch, "--jobs", 3, "--processes", 1, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert store.load([tmp_path / "out"]).runs[0].measured.jobs == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_imported_and_no_thread_started_while_the_clock_runs(tmp_path, strategy):
    path = write_workloads(tmp_path, COUNTING.replace("LEAST", "0"))
    (item,) = load_file(str(path))
    skip_what_is_missing(strategy, item)
    told = first_jobs(item, (), strategy)
    assert told["modules"] == []
    assert told["threads"] == []


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("item", BUNDLED, ids=lambda item: item.name)
def test_no_bundled_workload_imports_anything_or_starts_a_thread_for_others_while_the_clock_runs(item):
    measured = 0
    for point in item.points():
        for way in ("inline", "async"):
            if item.why_not(way, dict(point)) or DISPATCHES[way].missing(item):
                continue
            told = first_jobs(item, point, matrix.parse_strategy(way))
            assert told["modules"] == [], f"{point} {way}"
            assert told["threads"] == [] or item.name in STARTING, f"{point} {way}"
            measured += 1
    if not measured:
        pytest.skip("nothing that it needs is installed")
