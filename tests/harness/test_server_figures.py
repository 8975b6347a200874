"""What is made of the answers of a server, from answers written by hand."""

from loopstall.harness.client import Answer, plan
from loopstall.harness.server_figures import Observed, sum_up
from loopstall.records import DESCHEDULED, Load, Stall

MS = 1_000_000
START = 1_000 * MS
LOAD = Load(jobs=8, rate=100.0, arrivals="constant", heavy=0.25)


def light(due_ms, end_ms, *, sent_ms=None, error=""):
    """Returns a light request, in ms from the beginning."""
    sent = due_ms if sent_ms is None else sent_ms
    return Answer(False, START + due_ms * MS, START + sent * MS, START + end_ms * MS, error)


def heavy(due_ms, end_ms, *, sent_ms=None, error=""):
    """Returns a heavy one."""
    sent = due_ms if sent_ms is None else sent_ms
    return Answer(True, START + due_ms * MS, START + sent * MS, START + end_ms * MS, error)


def summed(answers, *, stalls=(), wall_ms=100):
    seen = Observed(
        answers=answers, stalls=stalls, started_ns=START, began_at=1.5, wall_ns=wall_ms * MS, setup_ns=1, priming_ns=2,
        children_cpu_ns=3, peak_memory_bytes=4,
    )  # fmt: skip
    return sum_up(seen, LOAD, threshold_ns=5 * MS)


def near(value_ns, expected_ms):
    return abs(value_ns - expected_ms * MS) <= 0.01 * expected_ms * MS


def test_heavy_requests_are_the_jobs_and_light_ones_the_heartbeat():
    figures = summed([light(0, 1), heavy(10, 40, sent_ms=20), light(20, 22, sent_ms=21)])
    assert (figures.jobs, figures.light, figures.errors) == (1, 2, 0)
    assert near(figures.service.max_ns, 20)
    assert near(figures.response.max_ns, 30)
    assert near(figures.lag.max_ns, 2)
    assert near(figures.lag_uncorrected.max_ns, 1)
    assert figures.interval_ns == 10 * MS
    assert (figures.setup_ns, figures.priming_ns) == (1, 2)
    assert (figures.children_cpu_ns, figures.peak_memory_bytes) == (3, 4)


def test_lights_that_wait_at_the_same_time_are_one_stall():
    figures = summed([heavy(0, 30), light(10, 30), light(12, 31), light(50, 60), light(80, 84)])
    assert [(stall.start_ns, stall.duration_ns) for stall in figures.stalls] == [(10 * MS, 21 * MS), (50 * MS, 10 * MS)]
    assert figures.stall_count == 2
    assert figures.stalled_ns == 31 * MS
    assert {stall.cause for stall in figures.stalls} == {"unknown"}


def test_stalls_that_the_server_told_of_itself_come_before_those_seen_from_outside():
    told = Stall(start_ns=START + 10 * MS, duration_ns=20 * MS, cause=DESCHEDULED, rule="it had no CPU", label="route")
    figures = summed([heavy(0, 30), light(10, 30), light(50, 60)], stalls=[told])
    assert [(stall.start_ns, stall.label) for stall in figures.stalls] == [(10 * MS, "route")]
    assert figures.descheduled_ns == 20 * MS
    assert figures.stalled_ns == 30 * MS  # that is what clients waited, whatever the server says


def test_no_time_is_longer_than_the_load():
    told = Stall(start_ns=START, duration_ns=500 * MS, cause=DESCHEDULED, rule="it had no CPU", label="route")
    figures = summed([heavy(0, 30), light(0, 300)], stalls=[told])
    assert figures.stalled_ns == figures.descheduled_ns == figures.wall_ns == 100 * MS


def test_failed_requests_are_counted_and_named_once_and_are_no_figures():
    broken = [light(due, due + 50, error=f"answered {due % 7}") for due in range(14)]
    figures = summed([heavy(0, 30), heavy(0, 90, error="not answered"), light(60, 61), *broken])
    assert (figures.jobs, figures.light, figures.errors) == (1, 1, 15)
    assert figures.faults == ("not answered", "answered 0", "answered 1", "answered 2", "answered 3")
    assert near(figures.response.max_ns, 30)
    assert near(figures.lag.max_ns, 1)


def test_heavy_requests_of_a_slice_have_light_ones_behind_them():
    planned = list(plan(Load(jobs=40, rate=80.0, arrivals="constant", heavy=0.05), 1, ahead=0.5))
    assert [number for number, item in enumerate(planned, 1) if item.heavy] == [10, 30]
    assert len(planned) == 40
