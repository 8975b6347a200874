from dataclasses import replace

from fakes import FakeExecutor, badly, well
from helpers import ENVIRONMENT, cell, plan
import pytest
from rich.console import Console

from loopstall.errors import InputError
from loopstall.gate.criteria import QUICK_CONFIRM, QUICK_DOUBT, QUICK_ROUNDS, Criteria
from loopstall.gate.paired import judge
from loopstall.runner import paired_session as pairs
from loopstall.runner.paired import PairedRunner
from loopstall.runner.side import Side
from loopstall.runner.single import Limits

QUICK = Criteria(rounds=QUICK_ROUNDS, confirm=QUICK_CONFIRM, doubt=QUICK_DOUBT)
PLAN = plan(*(cell(name=name) for name in "abc"))
SIDES = (Side(name="old"), Side(name="new"))
SILENT = Console(quiet=True)


def asked(**changes):
    whole = pairs.Asked(
        rules=QUICK, turns=4, limit_s=None, options={"baseline": "abc", "baseline_path": None}, code="x"
    )
    return replace(whole, **changes)


def started(folder, **changes):
    pairs.begin(folder, PLAN, asked(**changes), [replace(one, workload=at_the_baseline(one)) for one in PLAN.cells])
    return folder


def at_the_baseline(one):
    return replace(one.workload, path=f"/baseline{one.workload.path}")


def carry_on(folder, executor, **changes):
    """Opens the folder again, and measures what is missing."""
    found = pairs.reopen(folder)
    assert [base.workload for base in found.cells.values()] == [at_the_baseline(head) for head in found.cells]
    runner = PairedRunner(executor, ENVIRONMENT, Limits.of(found.plan), SIDES, turns=found.asked.turns)

    def take(cell, index, seed):
        return runner.measure((found.cells[cell], cell), index=index, seed=seed)

    wanted = replace(found.asked, **changes)
    return pairs.measure(found.plan, wanted, take, folder=folder, saved=found.saved, progress=SILENT)


def slower(process):
    """Workload b takes longer on the new side, by a little more with each process."""
    worse = process.side == "new" and process.request.cell.workload.name == "b"
    return 1.3 if worse else 1.0


class _Interrupting(FakeExecutor):
    """Interrupts when so many processes have been started."""

    def __init__(self, after, **extra):
        super().__init__(**extra)
        self._after = after

    def start(self, side=None):
        if len(self.started) == self._after:
            raise KeyboardInterrupt
        return super().start(side)


def test_interrupted_gate_is_judged_as_far_as_it_went_and_completed_without_measuring_twice(tmp_path):
    folder = started(tmp_path / "out")
    found = carry_on(folder, _Interrupting(2 * 5 + 1, ms_a_job=slower))  # in the middle of the sixth pair
    assert isinstance(found.interrupt, KeyboardInterrupt)
    assert sum(len(item.pairs) for item in found.samples) == 5
    assert {item.verdict for item in judge(found.samples, QUICK)} == {"inconclusive"}
    executor = FakeExecutor(ms_a_job=slower)
    completed = carry_on(folder, executor)
    assert completed.interrupt is None
    at_once = carry_on(started(tmp_path / "whole"), FakeExecutor(ms_a_job=slower))
    assert len(executor.started) == 2 * (sum(len(item.pairs) for item in at_once.samples) - 5)
    assert judge(completed.samples, QUICK) == judge(at_once.samples, QUICK)
    assert [item.verdict for item in judge(completed.samples, QUICK)] == ["ok", "regressed", "ok"]
    third = FakeExecutor()
    assert judge(carry_on(folder, third).samples, QUICK) == judge(at_once.samples, QUICK)
    assert not third.started


def test_screening_that_is_complete_is_told_where_the_rest_is_interrupted(tmp_path):
    def restless(process):
        return slower(process) + (process.side == "new") * (len(executor.started) % 3) / 5

    executor = _Interrupting(2 * 3 * QUICK_ROUNDS, ms_a_job=restless)
    found = carry_on(started(tmp_path / "out"), executor)
    assert found.interrupt is not None
    assert [len(item.pairs) for item in found.samples] == [QUICK_ROUNDS] * 3
    assert all("of 8 pairs were measured to settle it" in item.rule for item in judge(found.samples, QUICK))


def test_pair_that_failed_is_measured_again_when_a_gate_is_completed(tmp_path):
    folder = started(tmp_path / "out")
    bad = carry_on(folder, FakeExecutor(lambda process: badly() if process.side == "new" else well()))
    assert [item.verdict for item in judge(bad.samples, QUICK)] == ["failed"] * 3
    good = carry_on(folder, FakeExecutor())
    assert [item.verdict for item in judge(good.samples, QUICK)] == ["ok"] * 3


def test_no_pair_is_begun_that_takes_longer_than_the_time_left(tmp_path, monkeypatch):
    """Each pair takes 10 s: of 95 s, 90 are used, and what is over is a pair less."""
    now = 1000.0

    class Slow(FakeExecutor):
        def start(self, side=None):
            nonlocal now
            now += 5.0
            return super().start(side)

    monkeypatch.setattr(pairs.time, "monotonic", lambda: now)
    found = carry_on(started(tmp_path / "out"), Slow(), limit_s=95.0)
    assert now == 1090.0
    assert sorted(len(item.pairs) for item in found.samples) == [3, 3, 3]
    assert all("3 of 4 pairs were measured in the available time" in item.rule for item in judge(found.samples, QUICK))


def test_folder_without_a_gate_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no gate that could be completed"):
        pairs.reopen(tmp_path)


def test_code_is_told_from_changed_code_and_not_from_what_is_no_code(tmp_path):
    (tmp_path / "app.py").write_text("a = 1")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    before = pairs.code_of([tmp_path])
    for other in ("notes.md", ".venv/a.py", "env/a.py", "reports"):
        (tmp_path / other).write_text("b = 2")
    pairs.check_code(asked(code=before), [tmp_path], tmp_path)
    (tmp_path / "lib").mkdir()
    for changed in ("app.py", "lib/ext.c"):
        (tmp_path / changed).write_text("b = 2")
        with pytest.raises(InputError, match="the code has changed since"):
            pairs.check_code(asked(code=before), [tmp_path], tmp_path)
        before = pairs.code_of([tmp_path])
