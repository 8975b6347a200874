"""The command line over processes that play recorded outcomes: every path in milliseconds."""

from fakes import FakeExecutor, badly, well
from helpers import measured, write_workloads
import pytest

from loopstall.cli import main
from loopstall.runner import launcher, single

MINE = """
@workload
def mine(seed):
    return seed

mine.verify(ok)
"""


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Has the command line start fake processes; returns what runs a command and its exit code."""
    write_workloads(tmp_path, MINE)
    executors = []

    def use(executor):
        executors.append(executor)
        monkeypatch.setattr(single, "Launcher", lambda: executor)
        monkeypatch.setattr(launcher, "Launcher", lambda: executor)

        def command(*words):
            with pytest.raises(SystemExit) as ended:
                main([*map(str, words)])
            return ended.value.code

        return command

    return use


def test_run_measures_every_cell_as_often_as_asked_and_writes_the_page(played, tmp_path, capsys):
    executor = FakeExecutor()
    assert played(executor)("run", "mine.py", "-s", "inline", "-s", "threads", "--processes", 3, "-o", "out") == 0
    assert sum(process.request is not None for process in executor.started) == 6
    assert "No trap in 2 cells" in capsys.readouterr().out
    assert (tmp_path / "out" / "index.html").is_file()


def test_trap_over_a_budget_that_was_asked_for_is_exit_1(played, capsys):
    command = played(FakeExecutor(lambda _: well(measured(stalls_ms=(80,)))))
    assert command("run", "mine.py", "-s", "inline", "-o", "a") == 0
    assert command("run", "mine.py", "-s", "inline", "-o", "b", "--budget", "50ms") == 1
    assert "1 of 1 cell is a trap" in capsys.readouterr().out


def test_failed_measurement_is_exit_3_and_its_cell_is_not_tried_again(played, capsys):
    executor = FakeExecutor(lambda _: badly("raised", "a job raised ValueError: no"))
    assert played(executor)("run", "mine.py", "-s", "inline", "--processes", 4, "-o", "out") == 3
    assert sum(process.request is not None for process in executor.started) == 1
    assert "a job raised ValueError: no" in capsys.readouterr().out


def test_resume_measures_only_what_is_missing(played, tmp_path):
    words = ("run", "mine.py", "-s", "inline", "--processes", 4, "-o", "out")
    assert played(FakeExecutor())(*words) == 0
    removed = sorted((tmp_path / "out" / "runs").iterdir())[:3]
    for path in removed:
        path.unlink()
    again = FakeExecutor()
    assert played(again)("run", "--resume", "-o", "out") == 0
    assert sum(process.request is not None for process in again.started) == 3


def test_ctrl_c_keeps_what_was_measured_and_says_how_to_complete_it(played, capsys):
    ended = []

    def play(_process):
        ended.append(1)
        if len(ended) == 3:
            raise KeyboardInterrupt
        return well()

    executor = FakeExecutor(play)
    assert played(executor)("run", "mine.py", "-s", "inline", "--processes", 4, "-o", "out") == 130
    assert "2 of 4 runs are saved in out; complete them with: loopstall run --resume -o out" in capsys.readouterr().err
    assert all(process.closed for process in executor.started)


@pytest.mark.parametrize(
    ("form", "said"), [("terminal", "nothing was measured."), ("junit", 'name="loopstall gate" tests="0"')]
)
def test_gate_without_a_cell_to_measure_says_so_in_its_own_way_and_is_exit_5(played, capsys, form, said):
    sides = ("--baseline-path", ".", "--candidate-path", ".")
    assert played(FakeExecutor())("gate", "mine.py", "-s", "async", *sides, "--format", form) == 5
    assert said in capsys.readouterr().out
