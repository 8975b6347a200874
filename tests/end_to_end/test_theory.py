"""The traps are where the theory puts them: orderings of real measurements, never times."""

import statistics

from helpers import loopstall
import pytest

from loopstall.analysis.summary import Budget, breach
from loopstall.monitor.gil import has_gil
from loopstall.results import store

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.once]

REPEATS = 3


def measured(folder, chosen, *more):
    """Yields the runs of workloads, each of them repeated."""
    for number, (names, strategies) in enumerate(chosen):
        ways = [word for name in strategies for word in ("-s", name)]
        words = (*names, *ways, *more, "--processes", REPEATS, "-o", f"out{number}")
        done = loopstall("run", *words, cwd=folder, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        yield from store.load([folder / f"out{number}"]).runs


_TRAPS = (
    (("blocking_sleep", "file_io"), ("asyncio", "uvloop", "processes")),
    (("hashing", "-p", "variant=pure-python"), ("asyncio", "uvloop", "processes", "to_thread")),
    (("hashing", "-p", "variant=big-buffer"), ("to_thread",)),
)
"""Workloads with the strategies that tests compare."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """(workload, variant, strategy) to the figures of the repeated runs."""
    gathered = {}
    for run in measured(tmp_path_factory.mktemp("theory"), _TRAPS):
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
    for run in figures[name, variant, f"{loop}/inline"]:
        assert breach(run, Budget())


@pytest.mark.parametrize(("name", "variant"), TRAPS)
def test_processes_get_out_of_the_trap(figures, name, variant):
    broken = [text for run in figures[name, variant, "asyncio/processes"] if (text := breach(run, Budget()))]
    assert len(broken) * 2 <= REPEATS, broken  # as a trap is judged: a stranger's load may disturb a run


@pytest.mark.skipif(not has_gil(), reason="this Python has no GIL")
def test_threads_do_not_free_the_loop_of_work_that_holds_the_gil(figures):
    held = figures["hashing", "pure-python", "asyncio/to_thread"]
    released = figures["hashing", "big-buffer", "asyncio/to_thread"]
    lags = [statistics.median(run.lag.p50_ns for run in runs) for runs in (held, released)]
    assert lags[0] > 3 * lags[1]  # of three runs each: one may have met a busy machine


@pytest.mark.skipif(not has_gil(), reason="this Python has no GIL")
def test_work_that_holds_the_gil_gains_nothing_from_threads_and_more_from_processes(figures):
    inline, threads, processes = (
        sorted(run.throughput for run in figures["hashing", "pure-python", f"asyncio/{dispatch}"])
        for dispatch in ("inline", "to_thread", "processes")
    )
    assert threads[REPEATS // 2] < 1.3 * inline[REPEATS // 2]
    assert processes[REPEATS // 2] > 1.2 * threads[REPEATS // 2]


def test_stalls_of_a_trap_name_the_workloads_own_line(figures):
    for run in figures["blocking_sleep", "", "asyncio/inline"]:
        blocked = [stall for stall in run.stalls if stall.cause == "blocking-call" and stall.culprit]  # by the trap
        assert blocked
        assert [stall for stall in blocked if not stall.culprit.file.endswith("blocking_sleep.py")] == []


_ON_REQUEST = (
    (("json_parse", "regex_backtrack"), ("inline", "to_thread", "processes")),
    (("template_render",), ("inline", "async", "to_thread", "processes")),
    (("password_hash", "sqlite"), ("inline", "to_thread")),
    (("pickling",), ("inline", "processes")),
    (("subprocess_wait", "logging_to_file"), ("inline", "async")),
)
"""Workloads with the dispatches that tests compare."""


@pytest.fixture(scope="module")
def on_request(tmp_path_factory):
    """The medians of the workloads that are measured on request, by workload and dispatch."""
    gathered = {}
    for run in measured(tmp_path_factory.mktemp("request"), _ON_REQUEST, "--seconds", "0.3s"):
        gathered.setdefault((run.cell.workload.name, run.cell.strategy.dispatch), []).append(run.measured)

    def median(name, dispatch, figure):
        return statistics.median(getattr(run, figure) for run in gathered[name, dispatch])

    return median


@pytest.mark.skipif(not has_gil(), reason="this Python has no GIL")
@pytest.mark.parametrize("name", ["json_parse", "regex_backtrack", "template_render"])
def test_work_that_keeps_the_gil_leaves_the_loop_alone_in_processes_alone(on_request, name):
    stalled = [on_request(name, dispatch, "stalled_ns") for dispatch in ("inline", "to_thread", "processes")]
    assert stalled[2] < stalled[0] / 2
    assert stalled[2] < stalled[1]


@pytest.mark.parametrize("name", ["password_hash", "sqlite"])
def test_work_that_gives_the_gil_up_leaves_the_loop_alone_in_threads(on_request, name):
    assert on_request(name, "to_thread", "stalled_ns") < on_request(name, "inline", "stalled_ns") / 2


def test_big_argument_makes_processes_lose(on_request):
    assert on_request("pickling", "processes", "throughput") < on_request("pickling", "inline", "throughput") / 4


def test_programs_that_are_awaited_run_beside_one_another(on_request):
    assert on_request("subprocess_wait", "async", "throughput") > 1.5 * on_request(
        "subprocess_wait", "inline", "throughput"
    )


def test_async_twin_that_awaits_nothing_blocks_just_as_long(on_request):
    assert (
        on_request("template_render", "async", "longest_stall_ns")
        > on_request("template_render", "inline", "longest_stall_ns") / 3
    )


def test_log_that_goes_through_a_queue_does_not_wait_for_the_disk(on_request):
    assert on_request("logging_to_file", "async", "throughput") > on_request("logging_to_file", "inline", "throughput")


def test_more_jobs_than_tokens_wait_for_one_another_under_anyio(tmp_path):
    pytest.importorskip("anyio")
    words = ("-p", "seconds=0.05", "-s", "anyio", "-s", "threads", "--concurrency", 80, "--processes", 3)
    done = loopstall("run", "blocking_sleep", *words, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for run in store.load([tmp_path / "out"]).runs:
        found.setdefault(run.cell.strategy.dispatch, []).append(run.measured.throughput)
    limited, free = (statistics.median(found[name]) for name in ("anyio", "threads"))
    assert limited < 0.75 * free  # 40 tokens for 80 jobs
