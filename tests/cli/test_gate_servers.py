"""The gate over servers under load, as a user calls it."""

from helpers import loopstall, marked, write_workloads
import pytest

from loopstall.results import store

pytestmark = [pytest.mark.alone, pytest.mark.once]  # servers are measured, whatever the Python

ORDER = """
from app import total

@workload
def order(seed):
    return total(seed)
order.verify(ok)
"""

APP = """
import time

def total(seed):
    time.sleep(SECONDS)
    return seed
"""


def gate(folder, *words):
    options = ("--rounds", 1, "--turns", 2, "--max-minutes", 0.02, "--results", "out")
    return loopstall("gate", "streams/inline", "order.py", *options, *words, cwd=folder)


def sides(folder, base, head):
    write_workloads(folder, ORDER, "order.py")
    for name, code in (("base", base), ("head", head)):
        (folder / name).mkdir()
        (folder / name / "app.py").write_text(code)
    return ("--baseline-path", "base", "--candidate-path", "head")


def test_servers_of_both_sides_are_under_load_by_turns(tmp_path):
    words = sides(tmp_path, APP.replace("SECONDS", "0.001"), APP.replace("SECONDS", "0.4"))
    done = gate(tmp_path, *words, "--budget", "200ms")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "order · streams/inline" in done.stdout
    assert "over its budget" in done.stdout
    assert "app.py:5 in total" in " ".join(done.stdout.split())
    base, head = (store.load([tmp_path / "out" / side]).runs[0].measured for side in ("baseline", "candidate"))
    for figures in (base, head):
        assert [burst.jobs for burst in figures.bursts] == [1, 1]
        assert figures.light == 2 * 19
        assert figures.errors == 0
    assert min(burst.wall_ns for burst in head.bursts) > 0.4e9
    assert not marked(tmp_path)


def test_request_that_fails_on_a_side_fails_the_cell(tmp_path):
    words = sides(tmp_path, APP.replace("SECONDS", "0.001"), "def total(seed):\n    raise ValueError('no')\n")
    done = gate(tmp_path, *words)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the candidate: a request failed: answered HTTP/1.1 500" in " ".join(done.stdout.split())


def test_strategies_are_of_workloads_alone(tmp_path):
    words = sides(tmp_path, APP, APP)
    done = gate(tmp_path, *words, "-s", "asyncio")
    assert done.returncode == 2
    assert "the way of a server is in its name" in done.stderr
