"""``loopstall serve-bench`` with real servers."""

import os
import signal
import subprocess
import sys

from helpers import command_line, loopstall, marked, until, write_workloads
import pytest

pytestmark = [pytest.mark.once]

WORK = """
@workload(params={"ms": [60]})
def spin(seed, ms):
    \"\"\"Computes in Python.\"\"\"
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end: pass
    return seed
@spin.verify
def _(result, seed, ms): return result == seed

@workload
def raises(seed):
    \"\"\"Fails.\"\"\"
    raise ValueError("no such luck")
@raises.verify
def _(result, seed): return True

@workload
def lies(seed):
    \"\"\"Returns what is wrong.\"\"\"
    return -1
@lies.verify
def _(result, seed): return result == seed
"""
QUICK = ("--processes", "1", "--seconds", "1s")


def serve(folder, *words, name="out"):
    write_workloads(folder / "workloads", WORK)
    return loopstall("serve-bench", "--work", "spin", *words, "-o", name, cwd=folder)


def test_scenarios_are_listed_with_what_is_missing(tmp_path):
    done = loopstall("serve-bench", "--list", cwd=tmp_path)
    assert done.returncode == 0
    for name in ("socket/inline", "streams-uvloop/celery", "gunicorn-4/inline", "uvicorn-1/def", "uvicorn-2/processes"):
        assert name in done.stdout


def test_list_says_why_a_scenario_cannot_be_had(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['celery'] = sys.modules['fastapi'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = loopstall("serve-bench", "--list", cwd=tmp_path, env=environment)
    reasons = {line.split()[0]: line.partition("n/a: ")[2] for line in done.stdout.splitlines()}
    assert reasons["streams/celery"].startswith("celery is not installed")
    assert reasons["uvicorn-1/inline"].startswith("fastapi is not installed")
    assert not reasons["streams/to_thread"]


def test_own_servers_are_measured_and_stalls_name_their_route(tmp_path):
    done = serve(tmp_path, "socket", "streams/inline", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "light p99" in done.stdout
    text = (tmp_path / "out" / "index.html").read_text()
    assert "GET /heavy" in text
    assert not marked(tmp_path)


def test_servers_of_others_are_measured(tmp_path):
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    pytest.importorskip("fastapi")
    done = serve(tmp_path, "gunicorn-2", "gunicorn-gthread", "uvicorn-2/inline", "uvicorn-1/def", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    assert not marked(tmp_path)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["strems"], "did you mean 'streams'"),
        (["--heavy", "0"], "--heavy is 0"),
        (["--work", "nothing"], "unknown workload 'nothing'"),
        (["--quick", "--processes", "2"], "cannot be used together"),
        (["-p", "mss=3"], "did you mean 'ms'"),
    ],
)
def test_bad_input_is_a_sentence(tmp_path, words, part):
    done = serve(tmp_path, *words)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_result_is_compared_and_gated_like_any_other(tmp_path):
    for name in ("base", "head"):
        done = serve(tmp_path, "streams/inline", "--seconds", "400ms", "--processes", "3", name=name)
        assert done.returncode == 0, done.stderr
    compared = loopstall("compare", "base", "head", "--all", cwd=tmp_path)
    assert compared.returncode in {0, 1, 5}, compared.stderr
    assert "failed" not in compared.stdout
    assert "added" not in compared.stdout
    gated = loopstall("gate", "--against", "base", "--rounds", "3", "--inconclusive", "pass", cwd=tmp_path)
    assert gated.returncode in {0, 1}, gated.stdout + gated.stderr
    assert "streams/inline" in gated.stdout


@pytest.mark.parametrize("work", ["raises", "lies"])
def test_heavy_route_that_fails_is_a_failed_cell(tmp_path, work):
    done = serve(tmp_path, "streams/inline", "--work", work, *QUICK)
    assert done.returncode == 3
    said = " ".join(done.stdout.split())
    assert "no heavy request was answered (answered HTTP/1.1 500" in said


def test_server_that_does_not_start_says_its_last_words(tmp_path):
    broken = "if 'LOOPSTALL_SERVES' in os.environ: raise OSError('no disk')\n"
    write_workloads(tmp_path / "workloads", broken + WORK)
    done = loopstall("serve-bench", "--work", "spin", "streams/inline", *QUICK, "-o", "out", cwd=tmp_path)
    assert done.returncode == 3
    assert "streams ended with status 1" in done.stdout
    assert "no disk" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    ("scenario", "number"), [("streams/processes", signal.SIGTERM), ("streams/celery", signal.SIGKILL)]
)
def test_servers_end_with_the_command_whatever_ends_it(tmp_path, scenario, number):
    if scenario.endswith("celery"):
        pytest.importorskip("celery")
    write_workloads(tmp_path / "workloads", WORK)
    process = subprocess.Popen(
        [sys.executable, "-m", "loopstall", "serve-bench", "--work", "spin", scenario, "--seconds", "30s"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LOOPSTALL_TEST": str(tmp_path)},
    )
    try:
        sign = "celery_app" if scenario.endswith("celery") else "loopstall.servers.streams_server"
        assert until(lambda: any(sign in command_line(one) for one in marked(tmp_path)))
        process.send_signal(number)
        process.wait(30)
        assert until(lambda: not marked(tmp_path)), [command_line(one) for one in marked(tmp_path)]
    finally:
        process.kill()
        process.wait()
