"""CPU and memory where the heartbeat passes by, and jobs in flight."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.harness.gauge import Flow, Gauge
from loopstall.records import Course

MS = 1_000_000


class Clock:
    """CPU time and memory as a test says."""

    def __init__(self):
        self.cpu_ns = 0
        self.reads = 0

    def cpu(self):
        self.reads += 1
        return self.cpu_ns

    def gauge(self, memory=7):
        return Gauge(cpu=self.cpu, memory=lambda: memory)


def test_gauge_reads_no_oftener_than_its_interval():
    clock = Clock()
    gauge = clock.gauge()
    for at in range(100):
        gauge.pass_by(at * MS)
    assert clock.reads == 5


def test_cpu_is_the_share_of_the_time_since_the_point_before():
    clock = Clock()
    gauge = clock.gauge(memory=5)
    gauge.read(1000 * MS)
    clock.cpu_ns = 10 * MS
    gauge.pass_by(1020 * MS)
    clock.cpu_ns = 110 * MS  # a loop that was blocked for 100 ms passes nobody by
    gauge.pass_by(1120 * MS)
    cpu, memory = gauge.courses(1000 * MS)
    assert cpu == Course(at_ns=(20 * MS, 120 * MS), values=(0.5, 1.0))
    assert memory == Course(at_ns=(20 * MS, 120 * MS), values=(5, 5))


def test_reading_soon_after_another_takes_its_place():
    clock = Clock()
    gauge = clock.gauge()
    gauge.read(0)
    clock.cpu_ns = 20 * MS
    gauge.pass_by(20 * MS)
    clock.cpu_ns = 21 * MS  # read by a clock that is a little behind: alone it would be ten times what there was
    gauge.read(20 * MS + MS // 10)
    cpu, _ = gauge.courses(0)
    assert cpu == Course(at_ns=(20 * MS + MS // 10,), values=(1.045,))


def test_run_that_is_shorter_than_the_interval_has_one_point():
    clock = Clock()
    gauge = clock.gauge()
    gauge.read(0)
    clock.cpu_ns = MS
    gauge.read(2 * MS)
    assert gauge.courses(0)[0] == Course(at_ns=(2 * MS,), values=(0.5,))


def test_points_stay_few_and_lose_no_cpu_time():
    clock = Clock()
    gauge = clock.gauge()
    for at in range(0, 60_000, 5):
        clock.cpu_ns = at * MS // 4
        gauge.pass_by(at * MS)
    cpu, _ = gauge.courses(0)
    assert 50 < len(cpu.at_ns) <= 120
    assert set(cpu.values) == {0.25}


def test_system_that_tells_no_memory_leaves_it_out():
    clock = Clock()
    gauge = clock.gauge(memory=0)
    gauge.read(0)
    gauge.read(MS)
    assert gauge.courses(0)[1] == Course()


def test_process_knows_its_own_memory():
    gauge = Gauge()
    gauge.read(0)
    gauge.read(MS)
    (size,) = gauge.courses(0)[1].values or (None,)
    if size is None:
        pytest.skip("this system does not tell")
    assert 1 << 20 < size < 1 << 40


def test_jobs_in_flight_are_those_that_were_due_and_have_not_ended():
    flow = Flow(width_ns=10)
    for due, end in ((0, 35), (5, 12), (21, 39)):
        flow.add(due, end)
    course = flow.course()
    assert dict(zip(course.at_ns, course.values, strict=True)) == {10: 2, 20: 1, 30: 2, 40: 0}


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**9)), max_size=300))
def test_every_job_ends_and_points_stay_few(jobs):
    flow = Flow()
    for due, length in jobs:
        flow.add(due, due + length)
    course = flow.course()
    assert len(course.at_ns) <= 120
    assert all(value >= 0 for value in course.values)
    assert (course.values or (0,))[-1] == 0
