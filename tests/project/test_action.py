"""The composite action: its steps are run as GitHub runs them."""

import os
from pathlib import Path
import re
import subprocess
import sys
import textwrap
from xml.etree import ElementTree as ET

from helpers import write_workloads
import pytest

ACTION = (Path(__file__).resolve().parents[2] / "action.yml").read_text(encoding="utf-8")

pytestmark = pytest.mark.once

WORK = """
@workload
def work(seed):
    return seed
@work.verify
def _(result, seed): return result == seed
"""


def script(step):
    """What a step runs, and the names of the environment that it is given."""
    text = ACTION.partition(f"- name: {step}\n")[2].partition("\n    - name:")[0]
    environment = dict(re.findall(r"^ +([A-Z]+): \$\{\{ inputs\.([\w-]+) \}\}$", text, re.MULTILINE))
    block = re.search(r"^      run: (?:\|\n(?P<lines>(?:        .*\n?)+)|(?P<line>.+))", text, re.MULTILINE)
    return textwrap.dedent(block["lines"] or block["line"]), environment


def test_every_input_is_used_and_every_used_one_is_declared():
    declared = set(re.findall(r"^  ([\w-]+):$", ACTION.partition("inputs:\n")[2].partition("runs:\n")[0], re.MULTILINE))
    assert declared == set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", ACTION))
    assert declared == {
        name for step in ("Install loopstall and the project", "Gate") for name in script(step)[1].values()
    }


def test_gate_step_prints_the_verdict_and_writes_junit(tmp_path):
    write_workloads(tmp_path, WORK, "workloads/mine.py")
    for side in ("base", "head"):
        (tmp_path / side).mkdir()
    lines, names = script("Gate")
    given = {
        "arguments": "work --quick -s asyncio --inconclusive pass --baseline-path base --candidate-path head",
        "baseline": "",
        "max-minutes": "0.2",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", lines],
        cwd=tmp_path, text=True, capture_output=True, check=False, timeout=120,
        env={**os.environ, "PATH": path, **{name: given[what] for name, what in names.items()}},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr  # on a busy machine it may find what is not there
    assert "work" in done.stdout
    (case,) = ET.parse(tmp_path / "loopstall-gate.xml").iter("testcase")  # noqa: S314  # the gate wrote it
    assert case.get("name") == "asyncio/inline"
