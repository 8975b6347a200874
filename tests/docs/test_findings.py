"""The example of each finding, run word for word in a small project, with what makes it short behind it."""

import json
import re
import shlex

from documents import ROOT
from helpers import loopstall, write_workloads
import pytest

from loopstall.records import Load
from loopstall.runner import matrix
from loopstall.workloads.loader import find

pytestmark = pytest.mark.once

WORKLOADS = {
    "broken.py": "@workload\ndef broken(seed):\n    raise ValueError('no')\n\nbroken.verify(ok)\n",
    "collects.py": "@workload\ndef collects(seed):\n    import gc\n    gc.collect()\n    return seed\n\ncollects.verify(ok)\n",
    "mine.py": "@workload\ndef mine(seed):\n    return seed\n\nmine.verify(ok)\n",
}
SHORT = ("--jobs", 2, "--processes", 1)
MORE = {
    "insufficient-data": ("mine.py", "-s", "inline", "--jobs", 2),
    "server-busy": ("--seconds", "300ms", "--processes", 1),
}
"""Words that make a command short that names no workload, or a server."""

RUN = {
    "failed",
    "sync-wait-on-loop",
    "cpu-on-loop",
    "cancelled-thread",
    "native-code-pays",
    "server-busy",
    "insufficient-data",
}
"""The main ones, which are run; of the others it is worked out what they would measure, for each takes a second or two."""

VALUED = {"-s", "-p", "--rate", "--processes"}
"""Options of these commands that take a value."""

CERTAIN = {"failed", "insufficient-data"}
"""Those that a run shows whatever the machine does."""

NEEDS = {"server-busy": ("flask", "gunicorn")}


def examples():
    """Returns the command of each finding by its rule."""
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## `([a-z-]+)`:.*?\*\*Example:\*\* `([^`]+)`", text, re.MULTILINE | re.DOTALL))


def test_every_finding_has_an_example():
    from loopstall.analysis.rules import RULES

    assert set(examples()) == set(RULES)


@pytest.fixture
def folder(tmp_path):
    for name, body in WORKLOADS.items():
        write_workloads(tmp_path, body, name)
    return tmp_path


@pytest.mark.parametrize("rule", sorted(set(examples()) - RUN))
def test_example_names_a_workload_and_a_strategy_that_it_has(folder, monkeypatch, rule):
    monkeypatch.chdir(folder)
    words = shlex.split(examples()[rule])
    assert words[:2] == ["loopstall", "run"]
    named = [word for at, word in enumerate(words[2:], 2) if not word.startswith("-") and words[at - 1] not in VALUED]
    wanted = tuple(matrix.parse_strategy(words[at + 1]) for at, word in enumerate(words) if word == "-s")
    chosen = find(named)
    cells, _ = matrix.build(chosen, matrix.override(chosen, []), wanted or matrix.strategies(), Load(jobs=2))
    assert {cell.workload.name for cell in cells} == {item.name for item in chosen}


@pytest.mark.parametrize("rule", sorted(RUN))
def test_example_measures_something(folder, rule):
    for name in NEEDS.get(rule, ()):
        pytest.importorskip(name)
    words = shlex.split(examples()[rule])[1:]
    done = loopstall(*words, *MORE.get(rule, SHORT), "-o", "out", cwd=folder)
    assert done.returncode in ({3} if rule == "failed" else {0, 1}), done.stdout + done.stderr
    assert "Page: out/index.html" in done.stdout
    assert "Traceback" not in done.stderr
    if rule in CERTAIN:
        report = json.loads(loopstall("report", "out", "--format", "json", cwd=folder).stdout)
        assert rule in {item["rule"] for item in report["findings"]}
