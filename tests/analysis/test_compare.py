from dataclasses import replace

from helpers import cell, failed, measured, run

from loopstall.analysis import compare as module
from loopstall.analysis.compare import NOISE_THRESHOLD, differing, figures_of, noise_of_controls

STEADY = (100, 101, 99, 100, 102)


def side(walls, where=None, stalls_ms=()):
    return [run(where, index=n, figures=measured(wall_ms=wall, stalls_ms=stalls_ms)) for n, wall in enumerate(walls)]


def compare(base, head, **extra):
    return module.compare(figures_of(base), figures_of(head), **extra)


def verdicts(base, head, **extra):
    return {item.metric: item.verdict for item in compare(base, head, **extra)}


def test_unchanged_cells_are_ok():
    assert set(verdicts(side(STEADY), side(STEADY)).values()) == {"ok"}


def test_slower_beyond_interval_and_noise_is_regressed_and_the_other_way_round_improved():
    slow = [wall * 1.3 for wall in STEADY]
    assert verdicts(side(STEADY), side(slow))["time_per_job"] == "regressed"
    assert verdicts(side(slow), side(STEADY))["time_per_job"] == "improved"


def test_change_below_the_noise_threshold_is_ok():
    slower = [wall * (1 + NOISE_THRESHOLD / 2) for wall in STEADY]
    assert verdicts(side(STEADY), side(slower))["time_per_job"] == "ok"
    assert verdicts(side(STEADY), side(slower), noise=0.01)["time_per_job"] == "regressed"


def test_less_available_loop_is_regressed():
    assert verdicts(side(STEADY), side(STEADY, stalls_ms=[60]))["availability"] == "regressed"


def test_availability_is_judged_by_the_points_in_which_it_is_told():
    from_30_to_25 = side([100] * 5, stalls_ms=[70]), side([100] * 5, stalls_ms=[75])
    from_95_to_87 = side([100] * 5, stalls_ms=[5]), side([100] * 5, stalls_ms=[13])
    for sides in (from_30_to_25, from_95_to_87):  # a sixth of what was left, and a twelfth: five points, and eight
        assert verdicts(*sides, noise=0.1)["availability"] == "ok"
        assert verdicts(*sides, noise=0.04)["availability"] == "regressed"
        assert verdicts(*sides[::-1], noise=0.04)["availability"] == "improved"
    assert verdicts(*from_95_to_87, noise=0.07)["availability"] == "regressed"
    assert verdicts(*from_30_to_25, noise=0.07)["availability"] == "ok"
    assert verdicts(*from_30_to_25[::-1], noise=0.07)["availability"] == "ok"
    (rule,) = (item.rule for item in compare(*from_30_to_25) if item.metric == "availability")
    assert rule == "95% interval of the difference against a noise threshold of 10 pp"


def test_too_few_runs_are_inconclusive_and_say_what_is_missing():
    found = compare(side(STEADY[:2]), side(STEADY))
    assert {item.verdict for item in found} == {"inconclusive"}
    assert "2 runs against 5, and an interval needs 4 on each side" in found[0].rule


def test_cell_of_one_side_is_added_or_removed():
    assert [item.verdict for item in compare([], side(STEADY))] == ["added"]
    assert [item.verdict for item in compare(side(STEADY), [])] == ["removed"]


def test_failure_on_a_side_is_neither_pass_nor_regression():
    assert [item.verdict for item in compare(side(STEADY), [*side(STEADY[:4]), failed(index=4)])] == ["failed"]


def test_cells_are_the_same_wherever_the_workload_file_lies():
    here, there = cell(path="/a/work.py"), cell(path="/b/work.py")
    assert "added" not in verdicts(side(STEADY, here), side(STEADY, there)).values()


def test_control_cells_say_how_noisy_measuring_apart_was():
    control = cell(name="sleep", control=True)
    faster = [wall * 0.8 for wall in STEADY]
    base, head = figures_of(side(STEADY, control)), figures_of(side(faster, control))
    assert noise_of_controls(base, head) > 0.24
    assert noise_of_controls(base, base) == 0
    assert noise_of_controls(figures_of(side(STEADY)), figures_of(side(faster))) == 0


def test_machines_that_differ_are_told():
    here = side(STEADY)[0].environment
    assert differing(here, here) == []
    assert differing(here, replace(here, cpu="another", cores=8)) == ["cpu a CPU against another", "cores 2 against 8"]
    assert differing(None, here) == []
