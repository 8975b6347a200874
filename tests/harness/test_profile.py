"""What is measured of a function by itself."""

import hashlib
import sys
import time

import pytest

from loopstall.harness import profile
from loopstall.monitor.gil import has_gil
from loopstall.runner import noise

pytestmark = pytest.mark.alone

MS = 1_000_000


def python_loop():
    total = 0
    for number in range(60_000):
        total += number * number
    return total


BUFFER = bytes(16 << 20)
LEVEL = 0


def writes_a_global():
    """Is not thread-safe."""
    global LEVEL  # noqa: PLW0603  # what is to be seen
    LEVEL += 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.skipif(not has_gil(), reason="this Python has no GIL")
def test_gil_share_tells_python_from_code_without_the_gil():
    held = profile.probe(python_loop, python_loop, ())
    free = profile.probe(lambda: hashlib.sha256(BUFFER).digest(), python_loop, ())
    waits = profile.probe(lambda: time.sleep(0.01), python_loop, ())
    assert waits.cpu_share < 0.5 < held.cpu_share
    assert held.returned_bytes > 0
    assert not held.unpicklable
    for found in (held, free, waits):
        assert (found.gil_share is None) is noise.disturbed(found.noise)
    if None not in {held.gil_share, free.gil_share, waits.gil_share}:  # else the machine was too busy to say
        assert held.gil_share > free.gil_share + 0.3
        assert held.gil_share > waits.gil_share + 0.3


@pytest.mark.parametrize(
    ("cpu_ms", "wall_ms", "delay_ms", "expected"),
    [
        (8.2, 16.6, 8.4, 1.0),  # a loop in Python beside a program that computes on the same CPU
        (0.2, 22.5, 2.4, 0.01),  # time.sleep(0.02) there
        (5.0, 10.0, 0.0, 0.5),
        (10.1, 10.0, 0.0, 1.0),  # clocks are read one after the other
    ],
)
def test_time_without_a_cpu_is_neither_computing_nor_waiting(cpu_ms, wall_ms, delay_ms, expected):
    share = profile.cpu_share(int(cpu_ms * MS), int(wall_ms * MS), int(delay_ms * MS))
    assert share == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("absence_ms", "delay_ms", "sleeps", "missed_ms"),
    [
        (10, 0, 1, 10),  # waited for the GIL
        (10, 10, 0, 0),  # was preempted and had the GIL
        (13, 3, 1, 10),  # got the GIL at once, and a CPU later
        (16, 6, 2, 13),  # woke up in the middle to ask for the GIL, and was late both times
    ],
)
def test_run_delay_with_the_gil_is_not_missed(absence_ms, delay_ms, sleeps, missed_ms):
    assert profile.missed_ns(absence_ms * MS, delay_ms * MS, sleeps) == pytest.approx(missed_ms * MS)


@pytest.mark.parametrize(
    ("missed_ms", "own_ms", "delay_ms", "expected"),
    [
        (50, 50, 0, 1.0),  # Python, on an idle machine
        (95, 50, 45, 1.0),  # Python that waits for a CPU with the GIL
        (1, 50, 50, 0.01),  # zlib that waits for a CPU without it
        (50, 50, 50, 0.5),  # half and half, its delay as well
        (0, 0, 0, 0.0),
    ],
)
def test_gil_share_is_of_the_functions_own_time(missed_ms, own_ms, delay_ms, expected):
    assert profile.gil_share(missed_ms * MS, own_ms * MS, delay_ms * MS) == pytest.approx(expected)


def test_without_a_gil_nothing_holds_it_and_the_note_says_so(monkeypatch):
    monkeypatch.setattr(profile, "has_gil", lambda: False)
    found = profile.probe(python_loop, python_loop, ())
    assert (found.gil_share, found.gil_note) == (0.0, "this build has no GIL")


def test_what_cannot_travel_is_told_with_the_reason():
    found = profile.probe(lambda: lambda: 1, python_loop, (lambda: 2,))
    assert "arguments cannot be pickled" in found.unpicklable
    assert "result cannot be pickled" in found.unpicklable
    assert found.sent_bytes is None


def test_caveats_name_globals_and_what_a_docstring_says():
    found = profile.probe(writes_a_global, writes_a_global, ())
    assert any("writes the global LEVEL" in text for text in found.caveats)
    assert any("not thread-safe" in text for text in found.caveats)


def test_cold_first_call_asks_for_priming():
    done = []

    def lazy():
        time.sleep(0.001 if done else 0.2)
        done.append(1)

    assert any("call it once in each worker" in text for text in profile.probe(lazy, lazy, ()).caveats)
