"""Which strategy is recommended in place of a trap, and whether a finding's title, line and command agree with it."""

from dataclasses import replace

from helpers import MS, cell, measured, plan, run
import pytest

from loopstall.analysis.content import Content, digest
from loopstall.records import Frame, StackSample, Stall

WRITE, READ = (Frame(file="/app/store.py", line=line, function="save") for line in (45, 49))


def outcome(*, per_second, lag_ms=0.1, stalls=()):
    """A second of a cell."""
    good = measured(jobs=per_second, wall_ms=1000.0, lag_ms=lag_ms)
    return replace(
        good, stalls=tuple(stalls), stall_count=len(stalls), stalled_ns=sum(stall.duration_ns for stall in stalls)
    )


def stall(length_ms, cause="blocking-call", frame=WRITE, **extra):
    return Stall(start_ns=0, duration_ns=length_ms * MS, cause=cause, culprit=frame, stack=(frame,), **extra)


TRAP = tuple(stall(length, frame=frame) for length, frame in ((100, WRITE), (90, READ), (90, READ), (90, WRITE)))


def finding(loop="asyncio", trap=TRAP, params=(), **others):
    """The first finding of a job that is a trap inline, beside other strategies."""
    cells = {name: cell("save", loop=loop, dispatch=name, params=params) for name in ("inline", *others)}
    outcomes = {"inline": outcome(per_second=70, lag_ms=100, stalls=trap), **others}
    runs = [run(cells[name], index=index, figures=outcomes[name]) for name in cells for index in range(2)]
    return digest(Content(title="a title", runs=runs, plan=plan(*cells.values()))).diagnoses[0]


def test_lag_decides_where_throughput_is_nearly_the_same():
    found = finding(
        to_thread=outcome(per_second=100, lag_ms=27), processes=outcome(per_second=98, lag_ms=3.7),
        native=outcome(per_second=60, lag_ms=1.0),
    )  # fmt: skip
    assert str(found.recommended.strategy) == "asyncio/processes"
    assert found.better.startswith("asyncio/processes does the same here at 98.0/s")
    assert found.command.endswith("-s asyncio/inline -s asyncio/processes")


def test_far_less_lag_at_a_loss_of_throughput_is_an_alternative():
    found = finding(to_thread=outcome(per_second=126, lag_ms=12), processes=outcome(per_second=98, lag_ms=3.7))
    assert found.recommended.strategy.dispatch == "to_thread"
    assert found.alternative == (
        "asyncio/processes has a p99 loop lag of 3.70 ms instead of 12.0 ms at 22% less throughput"
    )


@pytest.mark.parametrize(("per_second", "named"), [(51, True), (49, False)])
def test_less_lag_at_less_than_half_of_the_throughput_is_not_named(per_second, named):
    found = finding(to_thread=outcome(per_second=100, lag_ms=12), processes=outcome(per_second=per_second, lag_ms=1.5))
    assert found.recommended.strategy.dispatch == "to_thread"
    assert bool(found.alternative) is named


@pytest.mark.parametrize(
    ("per_second", "advice"),
    [(64, "Use asyncio/processes."),
     (35, "Use asyncio/processes, which keeps the loop free at 50% less throughput.")],
)  # fmt: skip
def test_recommendation_that_costs_throughput_says_so_in_its_sentence(per_second, advice):
    found = finding(processes=outcome(per_second=per_second, lag_ms=1.5))
    assert found.advice == advice


def test_throughput_decides_where_no_lag_is_felt():
    found = finding(native=outcome(per_second=800, lag_ms=0.4), to_thread=outcome(per_second=750, lag_ms=0.1))
    assert found.recommended.strategy.dispatch == "async"
    assert found.alternative == ""


def test_trap_is_never_recommended_and_without_another_strategy_none_is():
    found = finding(threads=outcome(per_second=900, stalls=TRAP))
    assert found.recommended is None
    assert found.better == ""
    assert found.command == "loopstall run /somewhere/save.py -s asyncio/async -s asyncio/to_thread"


def test_strategy_on_the_loop_of_the_trap_goes_first():
    cells = [cell("save", loop=loop, dispatch=name) for loop, name in
             (("asyncio", "inline"), ("asyncio", "processes"), ("uvloop", "processes"))]  # fmt: skip
    figures = [outcome(per_second=70, stalls=TRAP), outcome(per_second=90, lag_ms=4), outcome(per_second=99, lag_ms=2)]
    runs = [run(where, index=index, figures=made) for where, made in zip(cells, figures, strict=True)
            for index in range(2)]  # fmt: skip
    found = digest(Content(title="a title", runs=runs)).diagnoses[0]
    assert str(found.recommended.strategy) == "asyncio/processes"


def test_causes_of_one_kind_are_added_up_before_one_is_chosen():
    trap = [stall(90, "cpu-python"), stall(80, "cpu-native"), stall(100, "blocking-call")]
    found = finding(trap=trap)
    assert found.rule.name == "cpu-on-loop"
    assert found.blocked.cause == "cpu-python"
    assert found.blocked.confidence == "medium"  # 63% of the time


@pytest.mark.parametrize(("other_ms", "confidence"), [(1, "high"), (100, "medium"), (250, "low")])
def test_confidence_is_the_share_of_time_that_speaks_for_the_cause(other_ms, confidence):
    trap = [stall(300), stall(other_ms, "cpu-python")]
    assert finding(trap=trap).blocked.confidence == confidence


@pytest.mark.parametrize(
    ("states", "rule", "confidence"),
    [
        (("fsync", "running", "ready", "fsync", "fsync", "running"), "sync-wait-on-loop", "medium"),
        (("fsync", "running", "ready", "running"), "cpu-on-loop", "high"),  # twice in both runs: too few looks
        (("running",) * 6, "cpu-on-loop", "high"),
        (("GIL",) * 6, "cpu-on-loop", "high"),
    ],
)
def test_line_that_was_seen_in_a_system_call_waits_whatever_cpu_time_the_kernel_takes(states, rule, confidence):
    looks = tuple(StackSample(at_ns=at, culprit=WRITE, state=state) for at, state in enumerate(states))
    elsewhere = StackSample(at_ns=9, culprit=READ, state="read")
    found = finding(trap=[stall(90, "cpu-python", glimpses=(*looks, *[elsewhere] * 9))])
    assert (found.rule.name, found.blocked.confidence) == (rule, confidence)


def test_line_is_the_worst_of_the_worst_function_with_its_share():
    lone = Frame(file="/app/other.py", line=3, function="log")
    found = finding(trap=(*TRAP, stall(180, frame=lone)))  # more than either line of save, less than both
    assert found.culprit == WRITE
    assert [(frame.line, round(share, 2)) for frame, share in found.blocked.lines] == [(45, 0.35), (49, 0.33)]


def test_stalls_that_the_machine_made_count_for_nothing():
    found = finding(trap=(*TRAP, stall(900, "descheduled")))
    assert (found.blocked.count, found.blocked.longest_ns) == (8, 100 * MS)  # of two runs
    assert found.rule.name == "sync-wait-on-loop"


def test_line_is_that_of_the_thread_that_held_the_gil():
    loop = Frame(file="/app/main.py", line=1, function="main")
    found = finding(trap=[stall(90, "gil-wait", loop, holder=READ, holder_thread="worker")])
    assert (found.rule.name, found.culprit) == ("gil-contention", READ)


def test_command_measures_the_row_alone():
    found = finding(params=(("how", "a b"), ("size", 3)), processes=outcome(per_second=100))
    assert found.command == (
        "loopstall run /somewhere/save.py -p 'how=a b' -p size=3 -s asyncio/inline -s asyncio/processes"
    )
