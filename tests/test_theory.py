"""The traps are where the theory puts them: orderings of real measurements, never times."""

import statistics

from helpers import loopstall
import pytest

from loopstall import store
from loopstall.gate.policy import Budget, breach

pytestmark = pytest.mark.slow

REPEATS = 5


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """(workload, variant, strategy) to the figures of five repeated runs."""
    folder = tmp_path_factory.mktemp("theory")
    strategies = [word for name in ("asyncio", "uvloop", "processes", "to_thread") for word in ("-s", name)]
    done = loopstall("run", "blocking_sleep", "file_io", "hashing", "-p", "variant=pure-python,big-buffer",
                     *strategies, "--processes", REPEATS, "-o", "out", cwd=folder, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    gathered = {}
    for run in store.load([folder / "out"]).runs:
        key = (run.cell.workload.name, dict(run.cell.params).get("variant", ""), str(run.cell.strategy))
        gathered.setdefault(key, []).append(run.measured)
    assert {len(runs) for runs in gathered.values()} == {REPEATS}
    return gathered


TRAPS = [("blocking_sleep", ""), ("hashing", "pure-python"), ("file_io", "")]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("name", "variant"), TRAPS)
def test_blocking_work_inline_is_a_trap_in_every_run(figures, name, variant, loop):
    if (name, variant, f"{loop}/inline") not in figures:
        pytest.skip(f"{loop} is not installed")
    for measured in figures[name, variant, f"{loop}/inline"]:
        assert breach(measured, Budget())


@pytest.mark.parametrize(("name", "variant"), TRAPS)
def test_processes_get_out_of_the_trap(figures, name, variant):
    broken = [text for measured in figures[name, variant, "asyncio/processes"] if (text := breach(measured, Budget()))]
    assert len(broken) * 2 <= REPEATS, broken  # as a trap is judged: a stranger's load may disturb a run


def test_threads_do_not_free_the_loop_of_work_that_holds_the_gil(figures):
    held = figures["hashing", "pure-python", "asyncio/to_thread"]
    released = figures["hashing", "big-buffer", "asyncio/to_thread"]
    lags = [statistics.median(measured.lag.p50_ns for measured in runs) for runs in (held, released)]
    assert lags[0] > 3 * lags[1]  # of five runs each: one may have met a busy machine


def test_work_that_holds_the_gil_gains_nothing_from_threads_and_more_from_processes(figures):
    inline, threads, processes = (
        sorted(measured.throughput for measured in figures["hashing", "pure-python", f"asyncio/{dispatch}"])
        for dispatch in ("inline", "to_thread", "processes")
    )
    assert threads[REPEATS // 2] < 1.3 * inline[REPEATS // 2]
    assert processes[REPEATS // 2] > 1.2 * threads[REPEATS // 2]


def test_stalls_of_a_trap_name_the_workloads_own_line(figures):
    for measured in figures["blocking_sleep", "", "asyncio/inline"]:
        assert all(stall.culprit.file.endswith("blocking_sleep.py") for stall in measured.stalls if stall.culprit)
        assert any(stall.culprit for stall in measured.stalls)
