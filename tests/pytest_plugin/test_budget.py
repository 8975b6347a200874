"""What breaks a budget, by stalls made by hand."""

from dataclasses import replace

import pytest

from loopstall.pytest_plugin.baseline import Baseline
from loopstall.pytest_plugin.session import _breaking, _Budget, _said
from loopstall.records import Evidence, Frame, Stall, StallEvent, StallPart

MS = 1_000_000


def seen(length, *, waited=0, within=None):
    """A stall of which a part was a wait for a CPU, times in ms."""
    evidence = Evidence(
        duration_ns=length * MS, threshold_ns=5 * MS, window_ns=length * MS, own_cpu_ns=0, other_cpu_ns=0,
        run_delay_ns=waited * MS,
    )  # fmt: skip
    frame = Frame(file="/srv/app.py", line=3, function="handler")
    stall = Stall(start_ns=0, duration_ns=length * MS, cause="cpu-python", culprit=frame, evidence=evidence)
    return StallEvent(stall=stall, length_ns=(within or length) * MS, at=0.0, test="tests/test_a.py::test_it")


def budget(longest=None, total=None):
    return _Budget(longest_ns=longest and longest * MS, total_ns=total and total * MS)


@pytest.mark.parametrize(
    ("longest", "broken"), [(118, False), (117, True)],
)  # fmt: skip
def test_budget_holds_without_the_wait_for_a_cpu(longest, broken):
    one = seen(158, waited=40)
    assert _breaking([one], budget(longest)) == ([one] if broken else [], False)


@pytest.mark.parametrize(("total", "broken"), [(90, False), (89, True)])
def test_budget_of_all_together_holds_without_it_too(total, broken):
    assert _breaking([seen(100, waited=50), seen(40)], budget(total=total)) == ([], broken)


def test_longest_is_who_is_longest_without_it():
    waited, own = seen(200, waited=150), seen(90)
    assert _breaking([waited, own], budget(10))[0] == [own, waited]


def test_part_within_the_test_has_its_part_of_the_wait():
    assert _breaking([seen(200, waited=100, within=40)], budget(20)) == ([], False)
    assert _breaking([seen(200, waited=100, within=42)], budget(20))[0]


def test_failure_says_both_lengths():
    one = seen(158, waited=40)
    said = _said([one], [one], budget(50, 60), missed=[])
    assert "an event loop was blocked for 118 ms; the budget is 50.0 ms" in said
    assert "blocked for 118 ms in all, in 1 stall" in said
    assert "158 ms (40.0 ms of it without a CPU), cpu-python" in said


def test_failure_names_the_other_callbacks_of_the_turn():
    one = seen(158)
    parts = (
        StallPart(culprit=one.stall.culprit, share=0.6),
        StallPart(culprit=Frame(file="/srv/other.py", line=9, function="other"), share=0.4, task="Task-5"),
    )
    turn = replace(one, stall=replace(one.stall, parts=parts))
    said = _said([turn], [turn], budget(50), missed=[])
    assert "also in this loop iteration: /srv/other.py:9 in other, task Task-5, 40%" in said


def test_accepted_stall_is_covered_by_what_of_it_is_the_programs_own(tmp_path):
    path = tmp_path / "loopstall-accepted.toml"
    writes = Baseline(path, writes=True)
    writes.note(seen(158, waited=40))  # with half as much again, 177 ms
    writes.write()
    accepted = Baseline(path, writes=False)
    assert len(accepted.sift([seen(250, waited=74)])[0]) == 1
    assert accepted.sift([seen(250, waited=70)])[0] == []
