"""``loopstall list``, as a user sees it."""

import os
import re

from helpers import loopstall, write_workloads
import pytest

from loopstall.dispatch import DISPATCHES
from loopstall.loops import LOOPS
from loopstall.records.cells import dispatch_named
from loopstall.results import store
from loopstall.servers import SERVERS
from loopstall.workloads.loader import find

WIDE = {**os.environ, "COLUMNS": "300"}
SIDES = ("--baseline-path", ".", "--candidate-path", ".")
SECTIONS = ("Workloads", "Loops", "Dispatches", "Servers, for loopstall serve-bench")


SHOWN = DISPATCHES


def sections(text):
    """The rows of each section: what begins one, and the lines under it."""
    found, rows = {}, {}
    for line in text.splitlines():
        if line.rstrip() in SECTIONS:
            rows = found[line.rstrip()] = {}
        elif match := re.match(r"  (\S+)\s+(.*)", line):
            rows[match[1]] = [match[2].rstrip()]
        elif line.startswith("   ") and rows:
            rows[next(reversed(rows))].append(line.strip())
    return found


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    done = loopstall("list", cwd=tmp_path_factory.mktemp("list"), env=WIDE)
    assert done.returncode == 0, done.stderr
    return sections(done.stdout)


def test_every_section_is_there(listed):
    assert tuple(listed) == SECTIONS


def test_every_workload_is_listed_with_what_it_stands_for(listed):
    known = {item.name: item for item in find((), everything=True)}
    assert list(listed["Workloads"]) == list(known)
    for name, lines in listed["Workloads"].items():
        assert known[name].stands_for.split()[0] in lines[1]


@pytest.mark.parametrize(("section", "table"), [(SECTIONS[1], LOOPS), (SECTIONS[2], SHOWN), (SECTIONS[3], SERVERS)])
def test_every_row_has_its_summary(listed, section, table):
    assert list(listed[section]) == list(table)
    for name, lines in listed[section].items():
        assert lines[0].startswith(table[name].summary)


@pytest.mark.parametrize(("section", "table"), [(SECTIONS[1], LOOPS), (SECTIONS[3], SERVERS)])
def test_reason_why_a_loop_or_server_is_missing_stands_under_it(listed, section, table):
    for name, lines in listed[section].items():
        reason = table[name].missing()
        assert lines[1:] == ([f"n/a: {reason}"] if reason else []), name


def test_reasons_why_a_dispatch_is_missing_stand_under_it_with_for_whom(listed):
    for name, lines in listed["Dispatches"].items():
        reasons = {}
        for item in find((), everything=True):
            reason = SHOWN[name].missing(item)
            if reason and (not item.dispatches or dispatch_named(name) in item.dispatches):
                reasons.setdefault(reason, []).append(item.name)
        assert len(lines[1:]) == len(reasons), (name, lines)
        for line, (reason, names) in zip(lines[1:], reasons.items(), strict=True):
            assert line.startswith("n/a") and line.endswith(f": {reason}")  # noqa: PT018  # one sentence
            assert all(one in line for one in names) or line == f"n/a: {reason}"


def test_workload_of_ones_own_is_listed_and_dispatches_are_judged_by_it(tmp_path):
    write_workloads(
        tmp_path, "@workload\ndef mine(seed):\n    '''Stands for a test.'''\n    return seed\nmine.verify(ok)\n"
    )
    done = loopstall("list", "mine.py", cwd=tmp_path, env=WIDE)
    found = sections(done.stdout)
    assert list(found["Workloads"]) == ["mine"]
    assert found["Dispatches"]["async"][1:] == ["n/a for mine: the workload has no async version"]


def test_own_workloads_alone_are_shown_measured_and_gated_unless_bundled_ones_are_asked_for(tmp_path):
    (tmp_path / "workloads").mkdir()
    write_workloads(tmp_path, "@workload\ndef mine(seed):\n    return seed\nmine.verify(ok)\n", "workloads/own.py")
    done = loopstall("list", cwd=tmp_path, env=WIDE)
    assert list(sections(done.stdout)["Workloads"])[:1] == ["mine"]
    assert "bundled ones: loopstall list --bundled" in done.stdout
    done = loopstall("list", "--bundled", cwd=tmp_path, env=WIDE)
    assert {"mine", "hashing"} <= set(sections(done.stdout)["Workloads"])
    for folder, more, names in (("a", (), {"mine"}), ("b", ("--bundled",), {"mine", "hashing", "blocking_sleep"})):
        out_of_time = ("--max-minutes", "1e-9", "--results", folder)
        done = loopstall("gate", "-s", "asyncio", *SIDES, *out_of_time, *more, cwd=tmp_path)
        assert done.returncode == 5, done.stderr
        found = {cell.workload.name for cell in store.read_plan(tmp_path / folder / "candidate").cells}
        assert (names <= found) if more else (names == found)
    done = loopstall("run", "-s", "asyncio", "--jobs", 1, "--processes", 1, "-o", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {cell.workload.name for cell in store.read_plan(tmp_path / "run").cells} == {"mine"}
