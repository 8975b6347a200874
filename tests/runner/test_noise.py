"""What counts as a machine that is busy with something else."""

from pathlib import Path
import subprocess
import sys

import pytest

from loopstall.records import Noise
from loopstall.runner import noise

S = 1_000_000_000


def reading(at=0.0, delay=0.0, busy=0.0, own=0.0):
    return noise.Reading(
        at_ns=int(at * S), delay_ns=int(delay * S), busy_ns=int(busy * S), own_ns=int(own * S), cores=2
    )


@pytest.mark.parametrize(
    ("delay", "others", "expected"),
    [
        (0.00, 0.0, False),
        (0.40, 0.0, False),  # its own workers fill the CPUs
        (0.01, 0.9, False),  # others compute, and there are CPUs for all
        (0.40, 0.9, True),
        (0.03, 0.8, True),  # a thread that sleeps, beside a program on each CPU
    ],
)
def test_machine_is_busy_where_others_compute_and_the_measuring_thread_waits_for_it(delay, others, expected):
    seen = Noise(wall_ns=S, delay_ns=int(delay * S), others_ns=int(others * 2 * S), cores=2)
    assert noise.disturbed(seen) is expected


def test_nothing_is_known_where_the_system_does_not_tell():
    assert not noise.disturbed(None)
    assert noise.between(None, reading()) is None
    assert noise.total(None, None) is None


def test_cpu_time_of_ones_own_processes_is_not_that_of_others():
    seen = noise.between(reading(own=3, busy=50), reading(at=1, delay=0.2, own=4.5, busy=52))
    assert seen == Noise(wall_ns=S, delay_ns=int(0.2 * S), others_ns=int(0.5 * S), cores=2)
    assert seen.others_share == pytest.approx(0.25)
    assert seen.delay_share == pytest.approx(0.2)


def test_less_than_nothing_is_nothing():
    """The kernel counts the machine's time in ticks, and ours in ns."""
    seen = noise.between(reading(own=1, busy=50), reading(at=1, own=2.004, busy=51))
    assert seen.others_ns == 0


def test_noise_of_several_times_is_their_sum():
    one = Noise(wall_ns=S, delay_ns=5, others_ns=7, cores=2)
    assert noise.total(one, None, one) == Noise(wall_ns=2 * S, delay_ns=10, others_ns=14, cores=2)


def test_what_was_seen_is_told_with_what_would_pass():
    text = noise.told(Noise(wall_ns=S, delay_ns=S // 3, others_ns=S, cores=2))
    assert "50% of the time of this machine's 2 CPUs" in text
    assert "33% of its time" in text
    assert "10% or 2% would pass" in text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_process_of_others_is_seen_and_a_child_is_not():
    hog = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
    before = noise.read()
    subprocess.run(hog, check=True)
    after = noise.read()
    assert after.own_ns - before.own_ns > 0.29 * S
    assert after.busy_ns - before.busy_ns > 0.2 * S
    assert after.cores == len(noise.cpus())


def test_thread_that_is_not_there_has_no_run_delay():
    assert not Path("/proc/self/task/1073741824").exists()
    assert noise.run_delay_ns(1_073_741_824) is None
    assert noise.read(1_073_741_824) is None
