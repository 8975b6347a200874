"""The changes of docs/extending.md, applied to a copy of the source, and what each of them adds, used."""

import json
import os
import shutil
import subprocess
import sys

from documents import ROOT, blocks
import pytest

pytestmark = pytest.mark.once

CHANGES = ("loop", "dispatch", "workload", "format", "finding", "cause")
"""What the blocks add, in their order."""

EVALUATED = """
from dataclasses import replace
from helpers import measured, run, cell
from loopstall.analysis.diagnosis import diagnose
from loopstall.analysis.rules import rule_of
from loopstall.analysis.summary import Budgets, summarise
from loopstall.monitor.cause import classify
from loopstall.records import Evidence
"""


def applied(change, folder):
    """Applies a block of the document."""
    texts = [block.text for block in blocks() if block.document == "docs/extending.md" and block.language == "diff"]
    done = subprocess.run(
        ["git", "apply", "--whitespace=error"], input=texts[CHANGES.index(change)], cwd=folder, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, f"docs/extending.md, a {change}: {done.stderr}"


def copied(folder):
    for name in ("src", "workloads", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    folder = copied(tmp_path_factory.mktemp("extended"))
    for change in CHANGES:
        applied(change, folder)
    return folder


def python(folder, *words):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "src"), str(ROOT / "tests"))), "COLUMNS": "150"}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def loopstall(folder, *words):
    return python(folder, "-m", "loopstall", *words)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_applies_to_the_source_as_it_is(change, tmp_path):
    applied(change, copied(tmp_path))


def test_every_block_of_the_document_is_one_of_the_changes():
    found = [block.language for block in blocks() if block.document == "docs/extending.md"]
    assert found == ["diff"] * len(CHANGES)


def test_what_was_added_is_listed(extended):
    shown = loopstall(extended, "list")
    assert "poll              asyncio on poll(2) in place of epoll" in shown
    assert "one_thread        one thread for all jobs, one after the other" in shown
    assert "Stands for the analysis of an upload." in shown


def test_jobs_run_under_the_loop_and_the_dispatch_and_the_format_shows_them(extended):
    strategies = ("-s", "poll/inline", "-s", "poll/one_thread", "-s", "processes")
    loopstall(
        extended, "run", "word_count", *strategies, "-p", "words=20000", "--jobs", 6, "--processes", 1, "-o", "out"
    )
    runs = [json.loads(path.read_text())["data"] for path in (extended / "out" / "runs").iterdir()]
    assert {run["cell"]["strategy"]["loop"] for run in runs} == {"poll", "asyncio"}
    assert [run["measured"]["jobs"] for run in runs] == [6, 6, 6]
    head, *rows = [line.split("\t") for line in loopstall(extended, "report", "out", "--format", "tsv").splitlines()]
    assert head[:4] == ["workload", "strategy", "trap", "throughput"]
    assert [row[:2] for row in rows] == [
        ["word_count[words=20000]", name] for name in ("poll/inline", "poll/one_thread", "asyncio/processes")
    ]
    assert all(float(row[3]) > 0 and len(row) == len(head) for row in rows)


def test_stall_on_the_new_loop_is_seen_with_its_line(extended):
    loopstall(extended, "run", "blocking_sleep", "-s", "poll", "--jobs", 2, "--processes", 1, "-o", "stalled")
    (shown,) = json.loads(loopstall(extended, "report", "stalled", "--format", "json"))["cells"]
    assert shown["loop"] == "poll"
    assert shown["culprit"]["file"].endswith("blocking_sleep.py")


def test_finding_is_made_of_the_cell_that_takes_far_more_memory(extended):
    code = (
        EVALUATED
        + """
def runs(where, memory):
    return [run(where, figures=replace(measured(), peak_memory_bytes=memory)) for _ in range(5)]

samples = {
    cell("work"): runs(cell("work"), 2**25),
    cell("work", dispatch="processes"): runs(cell("work", dispatch="processes"), 2**29),
    cell("other", dispatch="processes"): runs(cell("other", dispatch="processes"), 2**29),
}
summaries = [summarise(where, found, Budgets().common) for where, found in samples.items()]
for item in diagnose(summaries, samples, Budgets()):
    print(item.rule.name, item.cell and item.cell.row, item.cell and item.cell.strategy, item.measured, sep=", ")
"""
    )
    found = [line for line in python(extended, "-c", code).splitlines() if line.startswith("memory-heavy")]
    assert len(found) == 1
    assert found[0].startswith("memory-heavy, work, asyncio/processes, peak memory ")
    assert found[0].endswith(", 16 times the least")


def test_cause_is_chosen_by_its_share_and_becomes_its_finding(extended):
    code = (
        EVALUATED
        + """
stall = Evidence(duration_ns=100, threshold_ns=10, window_ns=100, own_cpu_ns=5, other_cpu_ns=0, throttled_ns=80)
cause, rule = classify(stall)
print(cause, rule_of(cause).name, rule, sep=", ")
print(classify(replace(stall, throttled_ns=40))[0])
"""
    )
    assert python(extended, "-c", code).splitlines() == [
        "cpu-quota, cpu-quota-too-small, the CPU quota stopped it for 80% of the time", "descheduled",
    ]  # fmt: skip
