"""Which tests run alone: beside others a measurement would be judged with them, and nobody would see it."""

from collections import defaultdict
import os
from pathlib import Path
import subprocess
import sys

import pytest

TESTS = Path(__file__).resolve().parents[1]
WHOLE = {
    "cli/test_against.py", "cli/test_dump.py", "cli/test_gate.py", "cli/test_gate_revisions.py", "cli/test_gate_servers.py",
    "cli/test_watch.py", "cli/test_watch_children.py", "cli/test_watch_foreign_loops.py", "cli/test_watch_hangs.py",
    "cli/test_watch_inject.py", "cli/test_watch_inject_elsewhere.py", "cli/test_watch_live.py", "cli/test_watch_page.py",
    "cli/test_watch_pid.py", "cli/test_watch_process.py", "cli/test_watch_sampler.py", "docs/test_causes.py", "docs/test_outputs.py",
    "docs/test_tutorial.py", "examples/test_examples.py",
    "end_to_end/test_theory.py", "end_to_end/test_traps.py", "end_to_end/test_ways_out.py",
    "harness/test_load.py", "harness/test_profile.py", "pytest_plugin/test_hang.py",
    *(path.relative_to(TESTS).as_posix() for path in (TESTS / "monitor").rglob("test_*.py")),
}  # fmt: skip
"""Modules of which every test measures."""
SINGLE = {
    "cli/test_advise.py": {
        "test_busy_machine_ends_in_the_right_advice_or_in_none",
        "test_function_that_waits_goes_to_a_thread_and_its_decision_can_be_written_down",
    },
    "docs/test_python_blocks.py": {"test_watch_prints_the_stall_of_its_example"},
    "end_to_end/test_queues.py": {"test_celery_does_every_job_and_leaves_nothing_behind"},
    "workloads/test_loader.py": {"test_server_of_the_downloads_has_room_for_every_connection"},
}
"""Tests that measure, of modules of which the others do not."""

COLLECT = """
import sys
import pytest

class Marks:
    def pytest_collection_finish(self, session):
        for item in session.items:
            name = getattr(item, "originalname", item.name)
            print("marked", item.path.as_posix(), name, "alone" if item.get_closest_marker("alone") else "beside")

sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Marks()]))
"""


@pytest.mark.once
def test_tests_that_measure_are_those_that_run_alone():
    words = [sys.executable, "-c", COLLECT, str(TESTS)]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(words, cwd=TESTS.parent, env=outer, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    alone, beside = defaultdict(set), defaultdict(set)
    for line in done.stdout.splitlines():
        if line.startswith("marked "):
            _, path, name, how = line.split()
            (alone if how == "alone" else beside)[Path(path).relative_to(TESTS).as_posix()].add(name)
    assert {path for path in alone if path not in beside} == WHOLE
    assert {path: names for path, names in alone.items() if path in beside} == SINGLE
