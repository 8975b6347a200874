"""The fixture ``loop_benchmark`` over the real pytest-benchmark."""

from importlib.util import find_spec
import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("pytest_benchmark")

TESTS = """
import asyncio, hashlib, time
import pytest

async def handler(size=1000):
    await asyncio.sleep(0)
    return hashlib.sha256(b"x" * size).hexdigest()

async def blocking():
    time.sleep(0.02)
    return 5

def work(number):
    return number + 1

@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_handler(loop_benchmark, loop):
    assert loop_benchmark(handler, size=2000, loop=loop) == hashlib.sha256(b"x" * 2000).hexdigest()

def test_blocking(loop_benchmark):
    assert loop_benchmark(blocking) == 5

@pytest.mark.parametrize("dispatch", ["inline", "to_thread", "threads", "processes"])
def test_plain(loop_benchmark, dispatch):
    assert loop_benchmark(work, 4, dispatch=dispatch) == 5

def test_off_the_loop(loop_benchmark):
    assert loop_benchmark(blocking, dispatch="to_thread") == 5
"""
QUICK = ("--benchmark-max-time", "0.02", "--benchmark-min-rounds", "2", "--benchmark-warmup", "off")


def run(folder, tests, *words, plugins=("loopstall.pytest_plugin", "benchmark")):
    (folder / "test_bench.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    named = [word for name in plugins for word in ("-p", name)]
    outer = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}  # of xdist's worker
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named, *words], cwd=folder, check=False, text=True,
        capture_output=True, timeout=300, env={**outer, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_coroutines_are_benchmarked_saved_compared_and_drawn(tmp_path):
    done = run(tmp_path, TESTS, *QUICK, "--benchmark-save", "first", "--benchmark-json", "out.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["name"]: one for one in json.loads((tmp_path / "out.json").read_text())["benchmarks"]}
    assert len(found) == (8 if find_spec("uvloop") else 7)
    trap, fine = found["test_blocking"], found["test_off_the_loop"]
    assert trap["stats"]["min"] >= 0.02
    assert trap["extra_info"]["stalls"] >= 5
    assert trap["extra_info"]["culprit"].startswith("test_bench.py:10 in blocking")
    assert trap["extra_info"]["cause"] == "blocking-call"
    assert trap["extra_info"]["loop_lag_max_ms"] > fine["extra_info"]["loop_lag_p50_ms"]
    assert fine["extra_info"]["availability"] > trap["extra_info"]["availability"]
    if find_spec("uvloop"):
        assert found["test_handler[uvloop]"]["extra_info"]["loop"].startswith("uvloop")
    again = run(tmp_path, TESTS, *QUICK, "--benchmark-compare", "0001", "-k", "handler")
    assert "(0001_first)" in again.stdout, again.stdout


def test_time_is_taken_inside_the_running_loop(tmp_path):
    """An await that does nothing costs far less than starting a loop for it would."""
    tests = """
import asyncio
async def nothing():
    pass
def test_inside(loop_benchmark):
    loop_benchmark(nothing)
def test_outside(benchmark):
    with asyncio.Runner() as runner:
        benchmark(lambda: runner.run(nothing()))
"""
    done = run(tmp_path, tests, *QUICK, "--benchmark-json", "out.json")
    assert done.returncode == 0, done.stdout
    found = {one["name"]: one["stats"]["min"] for one in json.loads((tmp_path / "out.json").read_text())["benchmarks"]}
    assert found["test_inside"] < found["test_outside"] / 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("loop_benchmark(f, loop='uvlop')", "did you mean 'uvloop'?"),
        ("loop_benchmark(f, dispatch='thread')", "did you mean 'threads'?"),
        ("asyncio.run(inside(loop_benchmark))", "in a test that is a plain def"),
    ],
)
def test_wrong_use_is_a_sentence(tmp_path, call, said):
    tests = f"""
import asyncio
async def f():
    pass
async def inside(loop_benchmark):
    loop_benchmark(f)
def test_it(loop_benchmark):
    {call}
"""
    done = run(tmp_path, tests)
    assert done.returncode == 1
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_without_pytest_benchmark_it_says_what_to_install(tmp_path):
    done = run(tmp_path, "def test_it(loop_benchmark):\n    pass\n", plugins=("loopstall.pytest_plugin",))
    assert "pip install pytest-benchmark" in done.stdout
    assert done.returncode == 1


def test_disabled_it_calls_once(tmp_path):
    tests = "calls = []\nasync def f():\n    calls.append(1)\ndef test_it(loop_benchmark):\n    loop_benchmark(f)\n    assert len(calls) == 2\n"
    done = run(tmp_path, tests, "--benchmark-disable")
    assert done.returncode == 0, done.stdout
