"""Jobs in interpreters of their own, for real."""

import sys

from helpers import loopstall, write_workloads
import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor comes with Python 3.14")

WORK = """
@workload
def main_interpreter_is_elsewhere(seed):
    \"\"\"Returns which interpreter it runs in.\"\"\"
    from concurrent import interpreters
    return interpreters.get_current().id
@main_interpreter_is_elsewhere.verify
def _(result, seed): return result > 0

@workload
def packs(seed):
    \"\"\"Imports a module in C that a second interpreter refuses.\"\"\"
    import msgspec
    return msgspec.json.encode(seed)
packs.verify(ok)

@workload
def forks(seed):
    \"\"\"Forks.\"\"\"
    return os.fork()
forks.verify(ok)

@workload
def generates(seed):
    \"\"\"Returns what cannot travel.\"\"\"
    return (n for n in range(seed))
generates.verify(ok)

@workload
def raises(seed):
    \"\"\"Fails.\"\"\"
    raise LookupError("no such luck")
raises.verify(ok)
"""


@pytest.mark.slow
def test_every_workload_of_the_suite_runs_in_them(tmp_path):
    load = ("--jobs", "2", "--concurrency", "2", "--processes", "1")
    done = loopstall("run", "--all", *load, "-s", "asyncio/interpreters", "-o", "out", cwd=tmp_path)
    said = " ".join(done.stdout.split())
    assert "failed" not in said, said
    assert done.returncode == 0, done.stderr
    for name in ("hashing", "template_render", "sqlite", "subprocess_wait", "pickling"):
        assert name in said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_job_runs_in_one_and_what_they_refuse_is_told_in_a_sentence(tmp_path, loop):
    write_workloads(tmp_path, WORK)
    load = ("--jobs", "4", "--concurrency", "2", "--processes", "1")
    done = loopstall("run", "mine.py", *load, "-s", f"{loop}/interpreters", "-o", "out", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    said = " ".join(done.stdout.split())
    refused = "the workload cannot run in an interpreter of its own"
    for sentence in (
        f"{refused} (module msgspec._core does not support loading in subinterpreters); choose processes",
        f"{refused} (fork not supported for isolated subinterpreters); choose processes",
        "result cannot travel to another process or interpreter",
        "a job raised LookupError: no such luck",
        "4 cells failed",
    ):
        assert sentence in said, said
    assert "Traceback" not in done.stdout + done.stderr


def test_file_that_they_cannot_load_is_told_in_a_sentence(tmp_path):
    body = "import msgspec\n@workload\ndef work(seed): return seed\nwork.verify(ok)\n"
    write_workloads(tmp_path, body)
    done = loopstall(
        "run", "mine.py", "--jobs", "2", "-s", "interpreters", "--processes", "1", "-o", "out", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    assert "(module msgspec._core does not support loading in subinterpreters); choose processes" in " ".join(
        done.stdout.split()
    )
