"""What the documents promise: each entry of promises.toml is still said, and shown by tests that are there."""

from dataclasses import replace
import json
from pathlib import Path
import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

from documents import ROOT
from helpers import MS, loopstall, measured, write_workloads
import pytest
from workshop import ECHO

from loopstall.harness.load import DISTINCT_SEEDS
from loopstall.records import StallEvent, to_plain

PROMISES = tomllib.loads(Path(__file__).with_name("promises.toml").read_text(encoding="utf-8"))["promise"]


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("promise", PROMISES, ids=[item["says"][:60] for item in PROMISES])
def test_promise_is_still_made_and_shown_by_tests_that_are_there(promise):
    assert words(promise["says"]) in words((ROOT / promise["in"]).read_text(encoding="utf-8"))
    for test in promise["shown_by"]:
        path, _, name = test.partition("::")
        assert re.search(
            rf"^(async )?def {name}\(", (ROOT / "tests" / path).read_text(encoding="utf-8"), re.MULTILINE
        ), test


def test_every_document_has_its_promises():
    assert {item["in"] for item in PROMISES} >= {
        "README.md", "CONTRIBUTING.md", "action.yml",
        *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    }  # fmt: skip


@pytest.mark.once
def test_each_run_has_a_process_of_its_own_and_a_result_the_files_that_are_documented(tmp_path):
    body = "@workload\ndef mine(seed):\n    open('pids', 'a').write(f'{os.getpid()}\\n')\n    return seed\n\nmine.verify(ok)\n"
    write_workloads(tmp_path, body)
    done = loopstall("run", "mine.py", "-s", "inline", "--processes", 3, "--jobs", 4, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pids = (tmp_path / "pids").read_text().split()
    assert (len(pids), len(set(pids))) == (3 * (4 + DISTINCT_SEEDS), 3)  # a job of each seed before the clock starts
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"plan.json", "runs", "index.html", "summary.json"}
    files = [out / "plan.json", *(out / "runs").iterdir()]
    assert len(files) == 4
    for path in files:
        document = json.loads(path.read_text())
        assert document["format"] == "loopstall"
        assert {"version", "kind"} <= document.keys()


@pytest.mark.once
def test_run_records_what_the_documents_say(tmp_path):
    write_workloads(tmp_path, ECHO)
    loopstall("run", "mine.py", "-s", "processes", "--processes", 1, "--jobs", 20, "-o", "out", cwd=tmp_path)
    (path,) = (tmp_path / "out" / "runs").iterdir()
    run = json.loads(path.read_text())["data"]
    figures = run["measured"]
    for name in ("service", "response", "lag", "lag_uncorrected"):
        assert {"encoded", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"} <= figures[name].keys()
    for name in ("jobs", "wall_ns", "response_series", "lag_series", "stalls", "cpu_user_ns", "cpu_system_ns",
                 "children_cpu_ns", "peak_memory_bytes", "switches_voluntary", "switches_involuntary", "setup_ns",
                 "priming_ns"):  # fmt: skip
        assert name in figures
    assert run["environment"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.mark.once
def test_page_begins_with_the_findings_and_has_its_parts_in_the_documented_order(tmp_path):
    write_workloads(tmp_path, ECHO.replace("return seed", "time.sleep(0.06)\n    return seed"))
    loopstall(
        "run", "mine.py", "-s", "inline", "--processes", 2, "--jobs", 4, "--concurrency", 1, "-o", "out", cwd=tmp_path
    )
    parts = re.findall(r'<h2 id="(\w+)"', (tmp_path / "out" / "index.html").read_text())
    assert parts[:5] == ["findings", "decision", "percentiles", "timeline", "stalls"]


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("sampler", ["outside", "inside"])
def test_watch_opens_five_descriptors_and_a_thread_at_most(loop, sampler):
    code = f"""
import asyncio, ctypes, os
import loopstall
{"import uvloop" if loop == "uvloop" else ""}

ctypes.CFUNCTYPE(None)(lambda: None)  # for which newer versions of libffi keep a file of their own open

def held():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

async def main():
    await asyncio.sleep(0)
    before = held()
    for _ in range(2):
        with loopstall.watch(sampler={sampler!r}):
            await asyncio.sleep(0.05)
            during = held()
        while held()[1] > before[1]:  # a thread is there for a moment after its end
            await asyncio.sleep(0.01)
        after = held()
        print(during[0] - before[0], during[1] - before[1], after == before)
        before = after

with asyncio.Runner({"loop_factory=uvloop.new_event_loop" if loop == "uvloop" else ""}) as runner:
    runner.run(main())
"""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    first, second = (line.split() for line in done.stdout.splitlines())
    assert int(first[0]) <= 5
    assert {first[1], second[1]} == {"0" if sampler == "outside" else "1"}
    assert second[2] == "True"
    if sampler == "outside":  # the connection, and what one loop needs, stay for the next watch
        assert int(second[0]) <= 2
    else:
        assert first[2] == "True"


EXPLAINED = [ROOT / "docs" / "architecture.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
SOURCE = ROOT / "src" / "loopstall"
ROOM = re.compile(r"`([\w/]+(?:/|\.py))`")


@pytest.mark.parametrize("document", EXPLAINED, ids=[path.stem for path in EXPLAINED])
def test_files_and_classes_that_are_explained_exist(document):
    text = document.read_text(encoding="utf-8")
    assert [name for name in ROOM.findall(text) if not any((at / name).exists() for at in (SOURCE, ROOT))] == []
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    classes = re.findall(r"`([A-Z]\w*[a-z]\w*)`", text)
    assert [name for name in classes if f"class {name}" not in source] == []


def test_every_room_stands_in_the_table_of_the_architecture():
    text = EXPLAINED[0].read_text(encoding="utf-8")
    rows = text.partition("| room |")[2].partition("\n\n")[0].splitlines()[2:]
    named = [name.rstrip("/") for row in rows for name in ROOM.findall(row.split("|")[1])]
    rooms = {path.name for path in SOURCE.iterdir() if not path.name.startswith(("_", "."))} - {"py.typed"}
    assert sorted(named) == sorted(rooms)


def test_walks_of_the_architecture_pass_through_many_files():
    """A name that the pattern above misses would be held by nobody."""
    assert len(set(ROOM.findall(EXPLAINED[0].read_text(encoding="utf-8")))) > 40


def test_servers_of_the_documents_are_those_that_there_are():
    from loopstall.servers import SERVERS

    text = (ROOT / "docs" / "ways-out.md").read_text(encoding="utf-8")
    rows = [line for line in text.partition("| server |")[2].partition("\n\n")[0].splitlines() if "`" in line]
    named = set()
    for row in rows:
        first = row.split("|")[1]
        found = re.findall(r"`([\w-]+)`", first)
        stem = ""
        for name in found:
            stem = name.rpartition("-")[0] if not name.startswith("-") else stem
            named.add(f"{stem}{name}" if name.startswith("-") else name)
    assert {name for name in named if name != "asyncio"} >= set(SERVERS)


def test_trio_has_the_dispatches_that_the_documents_name():
    from loopstall.runner import matrix

    text = (ROOT / "docs" / "ways-out.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"The loop `trio` \(on request; `loopstall\[trio\]`\) has ([^.;]+)[.;]", text)
    ways = {item.dispatch for item in matrix.strategies(everything=True) if item.loop == "trio"}
    assert set(re.findall(r"`(\w+)`", said)) == ways


def stall_event(**changes):
    stall = replace(measured(stalls_ms=(200,)).stalls[0], **changes)
    return StallEvent(stall=stall, length_ns=stall.duration_ns, at=0.0, process="worker 1", thread="MainThread")


@pytest.mark.parametrize(("cause", "over"), [("blocking-call", True), ("descheduled", False)])
def test_stall_that_the_machine_made_breaks_no_budget_of_watch(tmp_path, cause, over):
    from loopstall.instrument.account import StallAccount
    from loopstall.instrument.inbox import Inbox
    from loopstall.instrument.live.views import Views
    from loopstall.report.watch_output import WatchOutput

    silent = SimpleNamespace(take=list, last=list)
    views = Views(live=False, serve=None, title="", threshold_ns=20 * MS, runs=True)
    account = StallAccount(
        Inbox(tmp_path), silent, WatchOutput(stacks=False), views, fail_over_ns=100 * MS, lines=None, hang_after_ns=0
    )
    (tmp_path / "1.jsonl").write_text(json.dumps(to_plain(stall_event(cause=cause))) + "\n")
    account.take()
    assert account.summary.count == 1
    assert bool(account.summary.over) is over


@pytest.mark.parametrize(("cause", "count"), [("blocking-call", 1), ("descheduled", 0)])
def test_stall_that_the_machine_made_fails_no_test(cause, count):
    from loopstall.pytest_plugin.recorder import Stalls

    found = Stalls(began_ns=0, ended_ns=1000 * MS)
    found.add(100 * MS, stall_event(cause=cause))
    assert len(found) == 1
    assert len(found.own) == count
