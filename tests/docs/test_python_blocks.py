"""Every block of Python in the documents, run as a reader would."""

from functools import cache
import json
import os
import re
import subprocess
import sys

from documents import ROOT, blocks
from helpers import loopstall
import pytest
from workshop import environment, shell

pytestmark = pytest.mark.once


@cache
def code():
    """Returns the blocks of Python by document."""
    found = {}
    for block in blocks():
        if block.language == "python":
            found.setdefault(block.document, []).append(block.text)
    return found


def python(text, folder, *, name="program.py", after=""):
    (folder / name).write_text(f"{text}\n{after}")
    done = subprocess.run([sys.executable, "-W", "error", name], cwd=folder, capture_output=True, text=True,
                          timeout=120, check=False, env=environment() | {"MPLBACKEND": "agg"})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_run_by_a_test():
    """Those of ci.md, causes.md and the tutorial in modules of their own, the others here."""
    expected = {
        "README.md": 2, "docs/causes.md": 5, "docs/ci.md": 1, "docs/production.md": 3, "docs/pytest.md": 1,
        "docs/results.md": 2, "docs/tutorial.md": 2, "docs/watch.md": 3, "docs/workloads.md": 1,
    }  # fmt: skip
    assert {name: len(found) for name, found in code().items()} == expected


def test_workload_of_the_readme_has_under_fifteen_lines_and_fails_where_a_result_is_wrong(tmp_path):
    text = code()["README.md"][1]
    assert len(text.splitlines()) < 15
    (tmp_path / "thumbnails.py").write_text(text)
    words = ("run", "thumbnails.py", "-s", "inline", "-s", "processes", "--jobs", 2, "--processes", 1, "-o")
    (tmp_path / "myservice.py").write_text("def make_thumbnail(seed, width):\n    return bytes(width)\n")
    done = loopstall(*words, "right", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "width=512" in done.stdout
    (tmp_path / "myservice.py").write_text("def make_thumbnail(seed, width):\n    return b''\n")
    done = loopstall(*words, "wrong", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.count("✗ failed") == 4
    assert "returned b''" in done.stdout


@pytest.mark.alone  # a tenth of a second after the watch begins the stall is over
@pytest.mark.parametrize(("document", "number"), [("README.md", 0), ("docs/watch.md", 0)])
def test_watch_prints_the_stall_of_its_example(tmp_path, document, number):
    shown = python(code()[document][number], tmp_path)
    assert re.search(r"^\d+ blocking-call \S+/program\.py:8 in main Task-1$", shown, re.MULTILINE), shown


def test_middleware_names_the_route_and_tells_the_browser(tmp_path):
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    after = (
        "from starlette.testclient import TestClient\n"
        "import logging, sys\n"
        "logging.basicConfig(stream=sys.stdout, format='%(name)s %(message)s')\n"
        "with TestClient(app) as client:\n    print(client.get('/items/5').headers['server-timing'])\n"
    )
    (tmp_path / "program.py").write_text(code()["docs/watch.md"][1] + after)
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          timeout=120, env=environment())  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "loopstall event loop stalled for" in done.stdout
    assert "GET /items/{number}" in done.stdout
    assert "loop-stall;dur=" in done.stdout
    assert 'desc="1 stall"' in done.stdout


def test_metrics_start_and_are_exported(tmp_path):
    pytest.importorskip("prometheus_client")
    pytest.importorskip("opentelemetry")
    after = "import prometheus_client\nprint(prometheus_client.generate_latest().decode())\nmetrics.stop()\n"
    shown = python(code()["docs/watch.md"][2], tmp_path, after=after)
    assert "loopstall_loop_availability" in shown


STALLED = """
import asyncio
import time


async def main():
    with trace.get_tracer("mine").start_as_current_span("request"):
        time.sleep(0.2)
    await asyncio.sleep(0)


asyncio.run(main())
"""


def test_spans_have_the_stalls_that_delayed_them(tmp_path):
    pytest.importorskip("opentelemetry.sdk")
    shown = python(code()["docs/production.md"][0], tmp_path, after=f"{STALLED}provider.shutdown()\n")
    (span,) = json.loads(f"[{shown}]")
    events = [event["attributes"] for event in span["events"] if event["name"] == "loopstall.stall"]
    table = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    assert any(event["code.function.name"] == "main" for event in events)
    assert [name for event in events for name in event if f"`{name}`" not in table] == []


def test_stalls_are_logged_by_the_standard_library_and_structlog(tmp_path):
    pytest.importorskip("structlog")
    _, plain, structured = code()["docs/production.md"]
    body = STALLED.replace('with trace.get_tracer("mine").start_as_current_span("request"):', "if True:")
    after = f"import sys\nhandler.setStream(sys.stdout)\n{body}stall_logger.stop()\n"
    shown = python(plain + structured, tmp_path, after=after)
    table = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    written = json.loads(shown.splitlines()[0])
    assert written["stall_function"] == "main"
    assert [name for name in written if name.startswith("stall_") and f"`{name}`" not in table] == []


def test_workload_of_the_documents_runs_inline_native_and_in_processes(tmp_path):
    pytest.importorskip("aiofiles")
    (tmp_path / "parsing.py").write_text(code()["docs/workloads.md"][0])
    done = loopstall("run", "parsing.py", "-s", "inline", "-s", "async", "-s", "processes", "--jobs", 2,
                     "--processes", 1, "-o", "out", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 cells" in done.stdout
    assert "size=100000" in done.stdout


def test_benchmark_of_the_documents_runs_on_both_loops(tmp_path):
    pytest.importorskip("uvloop")
    (tmp_path / "test_login.py").write_text(code()["docs/pytest.md"][0])
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = "python -m pytest -p no:cacheprovider -p no:xdist --benchmark-json out.json --benchmark-max-time 0.1"
    done = shell(words, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    assert [item["extra_info"]["loop"].split()[0] for item in found] == ["asyncio", "uvloop"]
    for item in found:
        assert {"loop_lag_p99_ms", "availability", "stalls", "culprit"} <= item["extra_info"].keys()


def test_results_are_loaded_and_drawn(workshop):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    after = "import matplotlib.pyplot\nmatplotlib.pyplot.savefig('lag.png')\nprint(sorted(lag.strategy.unique()))\n"
    shown = python("\n".join(code()["docs/results.md"]), workshop, after=after)
    assert "asyncio/threads" in shown
    assert os.path.getsize(workshop / "lag.png") > 1000  # noqa: PTH202
