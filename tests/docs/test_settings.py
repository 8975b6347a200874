"""The settings that the documents show, read by the commands that they are for."""

import datetime as dt
import tomllib

from documents import blocks
from helpers import loopstall, write_workloads
import pytest
from workshop import ECHO

from loopstall.cli.entry import _loopstall
from loopstall.cli.options.settings import by_workload
from loopstall.gate import accepted

BLOCKS = [block for block in blocks() if block.language == "toml"]


def settings(document):
    (text,) = [block.text for block in BLOCKS if block.document == document and "tool" in tomllib.loads(block.text)]
    return text


def context(name, folder):
    parent = _loopstall.make_context("loopstall", [name])
    return _loopstall.get_command(parent, name).make_context(name, [], parent=parent), folder


def test_every_block_of_settings_is_read_here():
    assert [block.document for block in BLOCKS if "tool" in tomllib.loads(block.text)] == ["README.md", "docs/gate.md"]
    assert all(set(tomllib.loads(block.text)) <= {"tool", "accepted"} for block in BLOCKS)


@pytest.mark.once
def test_settings_of_the_readme_are_those_of_run_and_options_go_before_them(tmp_path):
    write_workloads(tmp_path, ECHO)
    (tmp_path / "pyproject.toml").write_text(settings("README.md"))
    done = loopstall("run", "mine.py", "--jobs", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 runs in" in done.stdout  # three strategies in five processes
    done = loopstall("run", "mine.py", "--jobs", 2, "-s", "inline", "--processes", 1, cwd=tmp_path)
    assert "1 run in" in done.stdout
    read, _ = context("run", tmp_path)
    assert (read.params["budget"], read.params["availability"]) == (0.05, 0.9)


def test_settings_of_the_gate_are_read_with_those_of_a_single_workload(tmp_path):
    (tmp_path / "pyproject.toml").write_text(settings("docs/gate.md"))
    read, folder = context("gate", tmp_path)
    assert read.params["strategy"] == ("asyncio", "uvloop", "to_thread")
    assert (read.params["effect"], read.params["max_minutes"]) == (0.03, 600)
    assert (read.params["budget"], read.params["availability"]) == (0.05, 0.5)
    assert by_workload(folder) == {"hashing": {"effect": "5%", "stall": "120ms", "availability": "0.1"}}


@pytest.mark.parametrize("block", [b for b in BLOCKS if "accepted" in tomllib.loads(b.text)], ids=str)
def test_accepted_entry_of_the_documents_is_one(tmp_path, block):
    (tmp_path / "loopstall-accepted.toml").write_text(block.text)
    (entry,) = accepted.read(tmp_path / "loopstall-accepted.toml", required=True)
    assert entry.until > dt.date(2026, 1, 1)
    assert entry.budget > 0
    assert entry.reason
