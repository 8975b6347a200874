"""Every command that ``loopstall --help`` names: its own help, and the simplest thing that it is there for."""

import os
import re
import sys

from helpers import loopstall, write_workloads
import pytest

WORKLOADS = """
@workload
def block(seed):
    '''Stands for a test.'''
    time.sleep({seconds})
    return seed
block.verify(ok)
"""
SHORT = ("mine.py", "-s", "asyncio", "--jobs", 4, "--concurrency", 1, "--processes", 4)
PROGRAM = "import asyncio, time\nasync def main():\n    time.sleep(0.1)\nasyncio.run(main())\n"
FUNCTIONS = "import time\ndef wait(seconds):\n    time.sleep(seconds)\n    return seconds\n"

USES = {
    "list": [(("list", "mine.py"), {0}, "Stands for a test.")],
    "run": [(("run", *SHORT, "-o", "again"), {0}, "▲ TRAP")],
    "compare": [(("compare", "fast", "slow"), {1}, "regressed")],
    "gate": [(("gate", "mine.py", "--against", "fast", "--results", "gated"), {1}, "1 regressed")],
    "accept": [
        (("accept", "gated", "--reason", "known"), {0}, "entry added to loopstall-accepted.toml: commit that file")
    ],
    "pytest": [(("pytest",), {0}, "pytest --stall-budget 50ms")],
    "watch": [(("watch", "program.py"), {0}, "program.py:3 in main")],
    "dump": [(("dump", os.getpid()), {0 if sys.platform == "linux" else 2}, "process")],
    "serve-bench": [
        (("serve-bench", "--list"), {0}, "uvicorn-2/celery"),
        (("serve-bench", "socket", "--seconds", "500ms", "--quick", "-o", "served"), {0}, "socket/inline"),
    ],
    "advise": [
        # A machine that is busy with something else ends in 5, "too noisy to say".
        (("advise", "functions.py:wait", "--args", "[0.005]", "--max-seconds", "3s"), {0, 5}, "functions.py:wait"),
    ],
    "history": [
        (("history", "add", "fast"), {0}, "added fast, 1 cell,"),
        (("history", "show"), {0}, "No figure changed level."),
    ],
    "report": [
        (("report", "slow", "--format", "terminal"), {0}, "▲ TRAP"),
        (("report", "slow", "--format", "terminal", "--history", "loopstall-history.sqlite"), {0}, "No figure"),
        (
            ("report", "slow", "--format", "csv", "--history", "loopstall-history.sqlite"),
            {2},
            "is shown in html and terminal only",
        ),
        (("report", "gated", "--format", "terminal"), {0}, "1 regressed"),
        (("report", "slow"), {0}, "index.html"),
    ],
}
"""What each command is there for, in an order in which one can stand on another: words, exit codes, what is printed."""


def named_by_help(*words):
    done = loopstall(*words, "--help", cwd=".")
    assert done.returncode == 0, done.stderr
    return re.findall(r"^  ([a-z][a-z-]*)  ", re.split("Start here:|Commands:", done.stdout)[-1], re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("commands")
    (made / "program.py").write_text(PROGRAM)
    (made / "functions.py").write_text(FUNCTIONS)
    for name, seconds in (("fast", 0.02), ("slow", 0.07)):
        write_workloads(made, WORKLOADS.format(seconds=seconds))
        assert loopstall("run", *SHORT, "-o", name, cwd=made).returncode == 0
    return made


def test_every_command_that_help_names_is_used_here():
    assert sorted(named_by_help()) == sorted(USES)


@pytest.mark.parametrize("command", [*USES])
def test_help_of_a_command_says_how_it_is_used(command):
    done = loopstall(command, "--help", cwd=".")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: loopstall {command} ")
    assert "--help" in done.stdout


def test_help_of_a_group_names_commands_that_have_help():
    for name in named_by_help("history"):
        assert "Usage: loopstall history" in loopstall("history", name, "--help", cwd=".").stdout


def test_simplest_use_of_every_command_does_what_it_is_there_for(folder):
    for uses in USES.values():
        for words, statuses, part in uses:
            done = loopstall(*words, cwd=folder)
            assert done.returncode in statuses, (words, done.stdout, done.stderr)
            assert part in done.stdout + done.stderr, (words, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr
