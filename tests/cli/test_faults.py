"""Workloads that do the worst, and a machine that does: driven through the real command line."""

import os
from pathlib import Path
import subprocess
import sys

from helpers import loopstall, marked, write_workloads
import pytest

from loopstall.results import store

pytestmark = pytest.mark.once

FAULTS = """
def fault(function):
    made = workload(function)
    made.verify(ok)

@fault
def fine(seed):
    return seed

@fault
def raises(seed):
    raise ValueError("the reason")

@fault
def wrong(seed):
    return seed + 1

@fault
def unpicklable(seed):
    return threading.Lock()

@fault
def exits(seed):
    os._exit(3)

@fault
def quits(seed):
    sys.exit(4)

@fault
def crashes(seed):
    import ctypes
    ctypes.string_at(0)

@fault
def forks(seed):
    if not os.fork():
        time.sleep(0.01)
    return seed

@fault
def strays(seed):
    import subprocess
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    return seed

@fault
def eats(seed):
    return len(bytearray(1 << 40))

@fault
def shouts(seed):
    print("x" * (1 << 20), flush=True)
    return seed

@fault
def reads_input(seed):
    return seed if sys.stdin.read() == "" else -1
"""

EXPECTED = {
    ("raises", "inline"): ("raised", "ValueError: the reason"),
    ("raises", "processes"): ("raised", "ValueError: the reason"),
    ("wrong", "threads"): ("wrong-result", "verify does not accept"),
    ("wrong", "processes"): ("wrong-result", "verify does not accept"),
    ("unpicklable", "processes"): ("unpicklable", "cannot travel"),
    ("exits", "inline"): ("exited", "status 3"),
    ("exits", "processes"): ("worker-died", "worker of the pool died"),
    ("quits", "inline"): ("exited", "SystemExit: 4"),
    ("crashes", "inline"): ("crashed", "SIGSEGV at "),
    ("crashes", "processes"): ("worker-died", "worker of the pool died"),
    ("forks", "inline"): None,
    ("forks", "threads"): None,
    ("forks", "processes"): None,
    ("strays", "inline"): None,
    ("eats", "inline"): ("out-of-memory", "MemoryError"),
    ("eats", "processes"): ("out-of-memory", "MemoryError"),
    ("shouts", "inline"): None,
    ("shouts", "processes"): None,
    ("reads_input", "inline"): None,
    ("fine", "inline"): None,
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    write_workloads(folder, FAULTS)
    strategies = [word for name in ("inline", "threads", "processes") for word in ("-s", name)]
    limits = ("--memory-limit", "4GiB", "--time-limit", "60s")
    done = loopstall("run", "mine.py", *strategies, "--jobs", 2, "--concurrency", 2, "--processes", 1, *limits,
                     "-o", "out", cwd=folder)  # fmt: skip
    return folder, done


def test_command_ends_with_the_code_of_a_failed_measurement_and_no_traceback(faulty):
    _, done = faulty
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stdout) < 100_000


@pytest.mark.parametrize(
    ("which", "expected"), EXPECTED.items(), ids=lambda value: "-".join(value) if value else "fine"
)
def test_fault_is_named_and_harms_its_own_cell_alone(faulty, which, expected):
    folder, done = faulty
    name, dispatch = which
    (run,) = (
        run
        for run in store.load([folder / "out"]).runs
        if (run.cell.workload.name, run.cell.strategy.dispatch) == (name, dispatch)
    )
    if expected is None:
        assert run.error is None
        assert run.measured.jobs == 2
    else:
        kind, said = expected
        assert kind == run.error.kind
        assert said in run.error.message
        assert said.split()[0] in done.stdout


def test_crash_names_the_line(faulty):
    folder, _ = faulty
    crash = next(run for run in store.load([folder / "out"]).runs if run.error and run.error.kind == "crashed")
    assert f"{folder / 'mine.py'}:" in crash.error.message
    assert crash.error.message.endswith("in crashes")


def test_no_process_is_left(faulty):
    folder, _ = faulty
    assert marked(folder) == []


HANGS = """
@workload
def spins(seed):
    while True:
        pass
spins.verify(ok)

@workload
def grinds(seed):
    return 3 ** (1 << 40)
grinds.verify(ok)

@workload
def fine(seed):
    return seed
fine.verify(ok)
"""


def test_hang_is_ended_at_the_time_limit_names_its_line_and_is_not_tried_again(tmp_path):
    path = write_workloads(tmp_path, HANGS.replace("3 ** (1 << 40)", "sum(iter(int, 1))"))
    done = loopstall("run", "mine.py", "-s", "inline", "-s", "processes", "--jobs", 1, "--processes", 2,
                     "--time-limit", "4s", "-o", "out", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 3
    runs = store.load([tmp_path / "out"]).runs
    kinds = sorted((run.cell.workload.name, run.error.kind) for run in runs if run.error)
    assert kinds == [(name, kind) for name in ("grinds", "spins") for kind in ("not-tried",) * 2 + ("timeout",) * 2]
    inline = [r for r in runs if r.error and r.error.kind == "timeout" and r.cell.strategy.dispatch == "inline"]
    assert all(f"{path}:" in run.error.message for run in inline)
    assert len([run for run in runs if run.error is None]) == 4
    assert marked(tmp_path) == []


SLOW = """
@workload
def slow(seed):
    time.sleep(0.05)
    return seed
slow.verify(ok)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk_loses_nothing_that_was_measured(tmp_path):
    write_workloads(tmp_path, SLOW)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a disk")
    try:
        done = loopstall("run", "mine.py", "-s", "inline", "--jobs", 2, "--processes", 20, "-o", "disk/out",
                         cwd=tmp_path)  # fmt: skip
        assert done.returncode == 3
        assert "No space left on device" in done.stderr
        assert "--resume -o disk/out" in done.stderr
        assert "Traceback" not in done.stderr
        found = store.load([disk / "out"])
        assert found.warnings == ()
        assert 1 <= len(found.runs) < 20
        assert "slow" in done.stdout
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        assert loopstall("run", "--resume", "-o", "disk/out", cwd=tmp_path).returncode == 0
        assert len(store.load([disk / "out"]).runs) == 20
    finally:
        subprocess.run(["umount", disk], check=True)


def test_file_size_limit_is_named(tmp_path):
    resource = pytest.importorskip("resource", reason="needs a limit on file sizes")
    write_workloads(tmp_path, SLOW)
    done = loopstall("run", "mine.py", "-s", "inline", "--jobs", 1, "--processes", 1, "-o", "out", cwd=tmp_path,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)))  # fmt: skip
    assert done.returncode == 3
    assert "File too large" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_nobody_reads_ends_quietly(tmp_path):
    command = f"{sys.executable} -m loopstall list | head -n 1"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_temporary_folder_that_cannot_be_used_is_said(tmp_path):
    write_workloads(tmp_path, SLOW)
    missing = str(Path(tmp_path) / "nowhere")
    code = f"import tempfile; tempfile.tempdir = {missing!r}; from loopstall.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "mine.py", "-s", "inline", "--jobs", "1", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "TMPDIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_load_without_a_job_is_a_failed_measurement(tmp_path):
    write_workloads(tmp_path, SLOW)
    done = loopstall(
        "run", "mine.py", "-s", "inline", "--rate", 0.01, "--seconds", "10ms", "--processes", 1, cwd=tmp_path
    )
    assert done.returncode == 3
    assert "raise --rate" in done.stdout
    assert "unexpected" not in done.stderr
