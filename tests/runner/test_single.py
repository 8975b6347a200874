from fakes import FakeExecutor, badly
from helpers import ENVIRONMENT, cell
import pytest

from loopstall.errors import MeasurementError
from loopstall.runner.single import Limits, Runner

LIMITS = Limits(time_limit_s=7.0, memory_limit_bytes=11, threshold_ns=13)


def test_each_run_has_a_process_of_its_own_which_is_closed():
    executor = FakeExecutor()
    with Runner(ENVIRONMENT, LIMITS, executor) as runner:
        runs = [runner.run(cell(), index=index, seed=5) for index in range(3)]
    used = [process for process in executor.started if process.request is not None]
    assert len(used) == len(runs) == 3
    assert all(process.closed for process in executor.started)


def test_request_carries_cell_seed_and_limits():
    executor = FakeExecutor()
    with Runner(ENVIRONMENT, LIMITS, executor) as runner:
        runner.run(cell("other"), index=2, seed=5)
    request = next(process.request for process in executor.started if process.request is not None)
    assert (request.cell, request.seed) == (cell("other"), 5)
    assert (request.memory_limit_bytes, request.threshold_ns) == (11, 13)
    assert not request.by_turns


def test_next_processes_are_started_when_the_load_has_ended_and_not_before():
    started_while_measuring = []
    executor = FakeExecutor()
    play = executor.play
    executor.play = lambda process: (started_while_measuring.append(len(executor.started)), play(process))[1]
    with Runner(ENVIRONMENT, LIMITS, executor) as runner:
        for index in range(3):
            runner.run(cell(), index=index, seed=5)
    assert started_while_measuring == [2, 4, 4]  # two at a time, the next two only once both are used up


def test_run_records_figures_and_what_they_were_measured_on():
    with Runner(ENVIRONMENT, LIMITS, FakeExecutor()) as runner:
        run = runner.run(cell(), index=2, seed=5)
    assert (run.index, run.seed, run.error) == (2, 5, None)
    assert run.measured is not None
    assert run.environment.loop == "asyncio of a test"
    assert run.environment.cpu == ENVIRONMENT.cpu


def test_failure_is_a_run_with_an_error():
    with Runner(ENVIRONMENT, LIMITS, FakeExecutor(lambda _: badly("hung", "no end"))) as runner:
        run = runner.run(cell(), index=0, seed=5)
    assert run.measured is None
    assert (run.error.kind, run.error.message) == ("hung", "no end")
    assert run.environment.loop == "asyncio"  # the one that was asked for


def test_no_process_is_an_error_in_a_sentence():
    refuse = MeasurementError("cannot start a measuring process: no memory")
    with Runner(ENVIRONMENT, LIMITS, FakeExecutor(refuse=refuse)) as runner, pytest.raises(MeasurementError):
        runner.run(cell(), index=0, seed=5)
