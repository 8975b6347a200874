"""What is measured of a function by itself."""

import hashlib
import sys
import time

import pytest

from loopstall.advice import probe


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
def test_gil_share_tells_python_from_code_without_the_gil():
    held = probe.probe(python_loop, python_loop, ())
    free = probe.probe(lambda: hashlib.sha256(BUFFER).digest(), python_loop, ())
    waits = probe.probe(lambda: time.sleep(0.01), python_loop, ())
    assert held.gil_share > free.gil_share + 0.3
    assert held.gil_share > waits.gil_share + 0.3
    assert waits.cpu_share < 0.5 < held.cpu_share
    assert held.returned_bytes > 0
    assert not held.unpicklable


def test_what_cannot_travel_is_told_with_the_reason():
    found = probe.probe(lambda: lambda: 1, python_loop, (lambda: 2,))
    assert "arguments cannot be pickled" in found.unpicklable
    assert "result cannot be pickled" in found.unpicklable
    assert found.sent_bytes is None


def test_caveats_name_globals_and_what_a_docstring_says():
    found = probe.probe(writes_a_global, writes_a_global, ())
    assert any("writes the global LEVEL" in text for text in found.caveats)
    assert any("not thread-safe" in text for text in found.caveats)


def test_cold_first_call_asks_for_priming():
    done = []

    def lazy():
        time.sleep(0.001 if done else 0.2)
        done.append(1)

    assert any("call it once in each worker" in text for text in probe.probe(lazy, lazy, ()).caveats)
