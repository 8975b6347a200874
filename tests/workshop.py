"""A project that has everything that the documents' commands name: code, a repository, results of measurements."""

from dataclasses import replace
import os
from pathlib import Path
import shutil
import subprocess
import sys

import click
from helpers import cell, loopstall, measured, pair, plan, run, write_workloads

from loopstall.cli.entry import _loopstall
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import judge
from loopstall.records import Frame
from loopstall.results import store

__all__ = ["environment", "furnish", "parsed", "shell"]

APP = """
import asyncio
import os
import sys
import time


async def login():
    time.sleep(0.2)


async def main():
    await login()


async def slow():
    time.sleep(0.15)


async def app(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/slow":
            await slow()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


if __name__ == "__main__":
    assert sys.argv[1:] == ["--port", "8000"]
    asyncio.run(main())
"""

ECHO = """
@workload
def mine(seed):
    return seed

mine.verify(ok)
"""

PRICES = """
import time


def total(number, currency="EUR"):
    time.sleep(0.02)
    return number
"""

SAMPLES = """
def big_order():
    return (1000, "EUR")
"""

RESULTS = (
    "reports/BASE", "reports/HEAD", "reports/20260102-030405-run", "reports/20261101-090000-run",
)  # fmt: skip
"""Folders of results that the documents name."""


def furnish(folder: Path) -> None:
    """Makes the project, beside another version of its code and an older and a newer Python."""
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    for path, text in (("shop/prices.py", PRICES), ("tests/samples.py", SAMPLES)):
        (folder / path).parent.mkdir()
        (folder / path).write_text(text)
        (folder / path).with_name("__init__.py").write_text("")
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["suite"]\n')
    write_workloads(folder, ECHO)
    (folder / "suite").mkdir()
    for name in ("old", "new"):
        path = folder / name / "bin" / "python"
        path.parent.mkdir(parents=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        path.chmod(0o755)
    (folder.parent / "old").mkdir()
    _repository(folder)
    _results(folder)
    _stalls(folder)


def _repository(folder: Path) -> None:
    """Makes a commit on the default branch, tags it as a release and starts a branch of its own with a change."""
    (folder / ".gitignore").write_text("reports/\n*.json\n*.sqlite\nold/\nnew/\n__pycache__/\n")
    setting = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "Begin"), ("tag", "v1.4"),
                  ("checkout", "-q", "-b", "work")):  # fmt: skip
        subprocess.run(["git", *setting, *words], cwd=folder, check=True)
    (folder / "tests" / "samples.py").write_text(f"{SAMPLES}\n\nSMALL_ORDER = (1, 'EUR')\n")


def _results(folder: Path) -> None:
    """Writes results: five runs of a loop with a stall and of a loop without, a partial result, and one of a gate."""
    shape = (cell("mine", path=str(folder / "mine.py")), cell("hashing", dispatch="threads"))
    for name in RESULTS:
        target = store.Store(folder / name)
        target.begin(plan(*shape, processes=5))
        for index in range(5):
            for one in shape:
                stalls = (80,) if one.strategy.dispatch == "inline" else ()
                target.save(run(one, index=index, figures=measured(stalls_ms=stalls, wall_ms=100 + index)))
    done = loopstall("run", "mine.py", "-s", "inline", "-s", "threads", "--jobs", 2, "--processes", 2, "-o",
                     "reports/20270101-000000-run", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    next((folder / "reports/20270101-000000-run/runs").glob("*.json")).unlink()
    gate = folder / "reports/20280101-000000-gate"
    culprit = Frame(file=str(folder / "app.py"), line=9, function="login")
    pairs = tuple(_trapped(shape[0], index, culprit) for index in range(32))
    evidence = PairedSample(cell=shape[0], pairs=pairs)
    for side in ("baseline", "candidate"):
        target = store.Store(gate / side)
        target.begin(plan(shape[0]))
        for one in pairs:
            target.save(one.base if side == "baseline" else one.head)
    store.save_verdicts(gate, judge([evidence], Criteria()))
    shutil.copytree(gate, folder / "reports/20260102-030405-gate")
    done = loopstall("history", "add", "reports/BASE", cwd=folder)
    assert done.returncode == 0, done.stderr
    for name, source in (("old", "BASE"), ("new", "HEAD"), ("base", "BASE"), ("head", "HEAD")):
        done = loopstall("report", f"reports/{source}", "--format", "pyperf", "-o", f"{name}.json", cwd=folder)
        assert done.returncode == 0, done.stderr


def _trapped(where, index, culprit):
    """Returns a pair whose candidate stalls the loop for long."""
    one = pair(where, index=index, head_stalls=(120,))
    stalls = measured(stalls_ms=(120,), frame=culprit, wall_ms=400).stalls
    return replace(one, head=replace(one.head, measured=replace(one.head.measured, stalls=stalls)))


def _stalls(folder: Path) -> None:
    """Writes a report of stalls of which a function without arguments and one with them are the culprits."""
    (folder / "main.py").write_text(
        "import asyncio\nfrom shop.prices import total\n\nasync def main():\n    total(1000)\n\nasyncio.run(main())\n"
    )
    done = loopstall("watch", "--threshold", "5ms", "-o", "stalls.json", "main.py", cwd=folder)
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    """Returns the variables of a user's shell: this Python's commands first, and no trace of who runs the tests."""
    outer = ("PYTEST", "GITHUB", "CI", "COLUMNS", "LOOPSTALL")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}


def shell(command: str, folder: Path, *, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user types it."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
        env=environment() | {"XDG_CACHE_HOME": str(folder / ".cache")} | variables,
    )  # fmt: skip


def parsed(words: list[str]) -> None:
    """Reads the words of a loopstall command without doing what it says.

    Raises:
        click.ClickException: there is no such command or option, or a value is not what it should be.
    """
    command, name = _loopstall, "loopstall"
    parent = None
    while isinstance(command, click.Group):
        parent = command.make_context(name, words, parent=parent, resilient_parsing=False)
        name, command, words = command.resolve_command(parent, [*parent._protected_args, *parent.args])
    command.make_context(name, words, parent=parent)
