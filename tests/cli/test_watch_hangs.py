"""Stalls that do not end under ``loopstall watch``, and those in which a process does."""

import json
import os
import signal
import subprocess
import sys

from helpers import loopstall
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")]

HANG = """
import asyncio, re, signal, sys, threading, time
lock = threading.Lock()
lock.acquire()

def waits():
    lock.acquire()

def matches():
    re.match(r"(a+)+$", "a" * 40 + "b")

def turns():
    while True:
        pass

async def main():
    await asyncio.sleep(0.05)
    print("stuck", flush=True)
    globals()[sys.argv[1]]()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("function", "cause", "line"),
    [("waits", "blocking-call", 7), ("matches", "cpu-native", 10), ("turns", "cpu-python", 14)],
)
def test_hang_is_told_while_it_lasts_and_counted_when_the_program_is_ended(tmp_path, function, cause, line):
    (tmp_path / "prog.py").write_text(HANG)
    with subprocess.Popen(
        [sys.executable, "-m", "loopstall", "watch", "--hang-after", "300ms", "--fail-over", "100ms",
         "-o", "s.json", "prog.py", function],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        told = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    where = f"prog.py:{line if function != 'turns' else ''}"
    assert " loopstall: still blocked for " in told
    assert f"{cause}: {where}" in told
    assert process.returncode == 1  # the budget
    assert f"{cause}: {where}" in rest
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["stalls"] == 1 or len(report["stalls"]) == 1


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.execv('/bin/true', ['true'])"])
def test_stall_that_a_process_ends_in_is_told(tmp_path, end):
    (tmp_path / "prog.py").write_text(f"""
import asyncio, os, time
async def main():
    await asyncio.sleep(0.05)
    time.sleep(0.3)
    {end}
asyncio.run(main())
""")
    done = loopstall("watch", "--fail-over", "100ms", "prog.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "prog.py:5 in main" in done.stderr
    assert "loopstall: 1 stall," in done.stderr


def test_hang_of_a_child_is_told_under_its_name(tmp_path):
    (tmp_path / "child.py").write_text(HANG)
    (tmp_path / "prog.py").write_text("""
import subprocess, sys
child = subprocess.Popen([sys.executable, "child.py", "waits"], stdout=subprocess.PIPE)
child.stdout.readline()
try:
    child.wait(1.5)
except subprocess.TimeoutExpired:
    child.kill()
""")
    done = loopstall("watch", "--hang-after", "200ms", "prog.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loopstall [child.py " in done.stderr
    assert "still blocked for " in done.stderr
    assert "blocking-call: child.py:7 in waits" in done.stderr


def test_program_whose_helper_is_killed_goes_on_and_its_stalls_are_told(tmp_path):
    (tmp_path / "prog.py").write_text("""
import asyncio, os, signal, time
async def main():
    from loopstall.monitor.outside import link
    await asyncio.sleep(0.05)
    os.kill(link._links[0].pid, signal.SIGKILL)
    while not link._links[0].fault():
        await asyncio.sleep(0.01)
    time.sleep(0.2)
    await asyncio.sleep(0.05)
    time.sleep(0.2)
    await asyncio.sleep(0.05)
asyncio.run(main())
""")
    done = loopstall("watch", "prog.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 stalls" in done.stderr
    assert "prog.py:11 in main" in done.stderr


def test_nothing_is_left_of_a_watch(tmp_path):
    (tmp_path / "prog.py").write_text(
        "import asyncio, time\nasync def main():\n    time.sleep(0.1)\nasyncio.run(main())\n"
    )
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    assert loopstall("watch", "prog.py", cwd=tmp_path, env=env).returncode == 0
    assert list((tmp_path / "tmp").iterdir()) == []
