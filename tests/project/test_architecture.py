"""The rules of docs/architecture.md on who may import whom."""

import ast
from pathlib import Path
import subprocess
import sys

from helpers import uncovered
import pytest

import loopstall
from loopstall.cli.entry import _COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(loopstall.__file__).resolve().parent
PURE = ("analysis", "gate", "records", "report", "results", "stats")
MOST_ENTRIES = 24
LONGEST_FILE = 350
LONGEST_FUNCTION = 50
LONG_ON_PURPOSE = {"monitor/probes/epoll.py: timed"}
"""Its docstring says why: calls between its parts would cost the watched program too much."""


def modules(room):
    folder = PACKAGE / room
    paths = [PACKAGE / f"{room}.py"] if not folder.is_dir() else sorted(folder.rglob("*.py"))
    return [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for path in paths
    ]


def loaded(room, *, of):
    """Which of some modules a fresh interpreter has loaded after it has imported every module of a room."""
    code = "import sys\n" + "".join(f"import {name}\n" for name in modules(room))
    code += f"print(*sorted({set(of)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=uncovered())
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.once
def test_every_import_keeps_the_contracts():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


@pytest.mark.parametrize("room", PURE)
def test_rooms_that_judge_and_print_start_no_process_and_no_loop(room):
    assert (
        loaded(room, of=["asyncio", "multiprocessing", "loopstall.runner", "loopstall.harness", "loopstall.monitor"])
        == []
    )


def test_watched_process_without_a_loop_imports_no_asyncio():
    assert loaded("instrument/child", of=["asyncio", "loopstall.monitor.core"]) == []


def test_monitor_hands_on_what_it_names_and_no_module_in_its_place():
    code = "import loopstall, inspect; loopstall.watch; from loopstall import monitor\n"
    code += "print([name for name in monitor.__all__ if not inspect.isclass(getattr(monitor, name))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_command_line_has_one_file_a_command_and_its_options():
    commands = {module for module, _ in _COMMANDS.values()}
    around = {"loopstall.cli", "loopstall.cli.entry"}
    assert {name for name in modules("cli") if not name.startswith("loopstall.cli.options")} == commands | around


def test_package_has_few_entries_and_short_files():
    entries = [path.name for path in PACKAGE.iterdir() if path.name not in {"__pycache__", "_bundled"}]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short_but_for_one_that_says_why_not():
    long = {
        f"{path.relative_to(PACKAGE).as_posix()}: {node.name}"
        for path in PACKAGE.rglob("*.py")
        if "_bundled" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == LONG_ON_PURPOSE
