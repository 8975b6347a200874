from fakes import FakeExecutor, badly, well
from helpers import ENVIRONMENT, cell
import pytest

from loopstall.records import NOT_TRIED, Load
from loopstall.runner.paired import BURST_S, PairedRunner
from loopstall.runner.side import Side
from loopstall.runner.single import Limits

LIMITS = Limits(time_limit_s=7.0, memory_limit_bytes=0, threshold_ns=13)
SIDES = (Side(name="old"), Side(name="new"))


def paired(executor, turns=6):
    return PairedRunner(executor, ENVIRONMENT, LIMITS, SIDES, turns=turns)


def measure(executor, *, seed=1, turns=6):
    return paired(executor, turns).measure((cell(), cell()), index=3, seed=seed)


def test_each_side_runs_its_own_code_and_has_its_turns():
    executor = FakeExecutor()
    pair = measure(executor)
    assert {process.side for process in executor.started} == {"old", "new"}
    assert all(process.request.by_turns and process.closed for process in executor.started)
    assert len(pair.base.measured.bursts) == len(pair.head.measured.bursts) == 6
    assert (pair.base.index, pair.head.index) == (3, 3)


def test_sides_do_the_same_number_of_jobs_which_take_about_a_burst_of_the_slower_one():
    executor = FakeExecutor(ms_a_job=lambda process: 2.0 if process.side == "new" else 1.0)
    pair = measure(executor)
    jobs = {burst.jobs for run in (pair.base, pair.head) for burst in run.measured.bursts}
    assert jobs == {round(BURST_S * 1000 / 2.0)}
    slower = [burst.wall_ns for burst in pair.head.measured.bursts]
    assert slower == [2 * burst.wall_ns for burst in pair.base.measured.bursts]


def test_server_has_a_slice_with_one_heavy_request_a_turn():
    executor = FakeExecutor()
    served = cell(loop="streams", load=Load(seconds=1.0, rate=80.0, arrivals="constant", heavy=0.05))
    pair = paired(executor, 3).measure((served, served), index=0, seed=1)
    assert [burst.jobs for burst in pair.head.measured.bursts] == [1, 1, 1]


def test_pool_gets_whole_rounds_of_its_clients():
    pair = paired(FakeExecutor()).measure((cell(dispatch="processes"),) * 2, index=0, seed=1)
    assert all(burst.jobs % cell().load.concurrency == 0 for burst in pair.base.measured.bursts)


@pytest.mark.parametrize(
    ("ms_a_job", "turns", "taken", "rate"),
    [
        (2.0, 16, 16, None),
        (40.0, 16, 4, None),  # 8 clients: 320 and 32 ms a turn, and twice 16 turns of two bursts of 20 ms are 1.28 s
        (500.0, 16, 3, None),
        (500.0, 2, 2, None),
        (500.0, 16, 16, 80.0),
    ],
)
def test_slow_jobs_have_fewer_turns_in_a_pair_and_quick_ones_and_open_loads_all(ms_a_job, turns, taken, rate):
    executor = FakeExecutor(ms_a_job=lambda process: ms_a_job if process.side == "new" else ms_a_job / 10)
    where = cell(dispatch="to_thread", load=Load(seconds=0.3, rate=rate))
    pair = paired(executor, turns).measure((where, where), index=0, seed=1)
    assert len(pair.base.measured.bursts) == len(pair.head.measured.bursts) == taken


def test_calibration_is_done_once_a_cell():
    executor = FakeExecutor()
    runner, turns = paired(executor), []
    original = FakeExecutor().play
    executor.play = lambda process: (turns.append(process.side), original(process))[1]
    runner.measure((cell(), cell()), index=0, seed=1)
    first = len(turns)
    turns.clear()
    runner.measure((cell(), cell()), index=1, seed=2)
    assert len(turns) < first


def test_who_is_first_follows_from_the_seed():
    order = [[process.side for process in run.started] for run in map(_measured_with_seed, range(20))]
    assert order == [[process.side for process in run.started] for run in map(_measured_with_seed, range(20))]
    assert {tuple(sides) for sides in order} == {("old", "new"), ("new", "old")}


def _measured_with_seed(seed):
    executor = FakeExecutor()
    measure(executor, seed=seed, turns=1)
    return executor


@pytest.mark.parametrize("guilty", ["old", "new"])
def test_side_that_could_do_no_job_because_the_other_failed_is_not_blamed(guilty):
    def play(process):
        return badly("raised") if process.side == guilty else badly("no-job", "no job ended")

    pair = measure(FakeExecutor(play))
    kinds = {run.error.kind for run in (pair.base, pair.head)}
    assert kinds == {"raised", NOT_TRIED}


def test_side_that_works_beside_a_failing_one_keeps_its_figures():
    pair = measure(FakeExecutor(lambda process: badly() if process.side == "new" else well()))
    assert pair.base.measured is not None
    assert pair.head.error.kind == "raised"
