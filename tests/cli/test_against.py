"""The gate against a stored result, as users have it."""

import json
import os
import shutil

from helpers import loopstall
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.once]  # what is compared are processes, whatever the Python

WORKLOAD = """
import os, time
from loopstall import workload

@workload()
def wait(seed):
    time.sleep(0.002 * int(os.environ.get("FACTOR", 1)))
    return seed

@wait.verify
def _(result, seed):
    return result == seed
"""
TOLERANT = ("--effect", "100%", "--budget", "60s", "--availability", "0")
"""Only what is more than twice as slow counts, for the machine is shared."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with a workload that waits, and its stored result."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "workloads").mkdir()
    (folder / "workloads" / "own.py").write_text(WORKLOAD)
    done = loopstall("run", "wait", "-s", "asyncio", "--jobs", 40, "--processes", 4, "-o", "stored", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(measured, tmp_path):
    """A copy of it."""
    return shutil.copytree(measured, tmp_path, dirs_exist_ok=True)


def gate(project, *arguments, **variables):
    environment = {**os.environ, **variables}
    return loopstall("gate", "--against", "stored", *arguments, cwd=project, env=environment)


def said(folder):
    return json.loads((folder / "verdicts.json").read_text())["data"]


def test_same_cells_are_measured_again_and_judged_as_measured_apart(project):
    done = gate(project, *TOLERANT, "--results", "now")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Measured one side after the other" in done.stdout
    (verdict,) = said(project / "now")
    assert verdict["verdict"] == "ok"
    assert "measured apart" in verdict["rule"]
    assert len(list((project / "now" / "candidate" / "runs").iterdir())) == 4


def test_slower_candidate_fails_after_it_was_measured_a_second_time(project):
    done = gate(project, *TOLERANT, "--results", "now", FACTOR="8")
    assert done.returncode == 1, done.stdout + done.stderr
    (verdict,) = said(project / "now")
    assert (verdict["verdict"], verdict["kind"]) == ("regressed", "regression")
    assert len(list((project / "now" / "candidate" / "runs").iterdir())) == 8


def test_no_time_to_measure_is_inconclusive(project):
    done = gate(project, *TOLERANT, "--max-minutes", "1e-9", "--results", "now")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "an interval needs 4" in " ".join(done.stdout.split())


def test_two_stored_results_are_judged_without_measuring(tmp_path):
    for name, seconds in (("a", 0.1), ("b", 0.2)):
        runs = [{"values": [seconds * (1 + 0.001 * n)]} for n in range(5)]
        content = {"metadata": {"unit": "second"}, "benchmarks": [{"metadata": {"name": "x"}, "runs": runs}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    judge = ("gate", "--against", "a.json", "--candidate-results")
    assert loopstall(*judge, "a.json", cwd=tmp_path).returncode == 0
    done = loopstall(*judge, "b.json", "--format", "junit", "-o", "out.xml", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "+100.0%" in (tmp_path / "out.xml").read_text()
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baseline", "main"), "cannot be used together"),
        (("--turns", "3"), "cannot be used together"),
        (("--candidate-results", "nowhere"), "does not exist"),
        (("hashing",), "no cell of these workloads"),
        (("-s", "processes"), "no cell of these workloads"),
    ],
)
def test_wrong_use_is_a_sentence(project, arguments, message):
    done = gate(project, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_file_of_another_tool_cannot_be_measured_again(tmp_path):
    content = {"metadata": {}, "benchmarks": [{"metadata": {"name": "x"}, "runs": [{"values": [1.0]}]}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    done = loopstall("gate", "--against", "a.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "give --candidate-results" in done.stderr
