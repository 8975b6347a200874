"""Tests that hang are printed while they do, by the plugin as users run it."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")]

HANGS = """
import asyncio, os, re, time
import pytest

@pytest.mark.parametrize("name", ["one"])
def test_matches(name):
    async def main():
        await asyncio.sleep(0.01)
        print("captured")
        re.match(r"(a+)+$", "a" * 60 + "b")
    asyncio.run(main())
"""


@pytest.mark.parametrize("words", [(), ("-n", "1"), ("-p", "no:capture")], ids=["alone", "worker", "no capture"])
def test_hanging_test_is_named_with_its_stack_before_it_is_killed(tmp_path, words):
    if "-n" in words:
        pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(HANGS)
    words = ["-s"] if "no:capture" in words else list(words)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOOPSTALL"))}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--stall-budget", "50ms", "--stall-hang-after", "200ms",
         *words],
        cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0,
    ) as session:  # fmt: skip
        told = []
        for line in session.stderr:
            told.append(line)
            if "what to do" in line:
                break
        os.killpg(session.pid, 9)
    text = "".join(told)
    assert "test_it.py::test_matches[one]: still blocked for " in text
    assert "cpu-native" in text or "descheduled" in text
    assert 're.match(r"(a+)+$", "a" * 60 + "b")' in text


def test_nothing_is_printed_where_nobody_wants_it_and_nothing_is_left(tmp_path):
    (tmp_path / "test_it.py").write_text("""
import asyncio, os, time

def test_sleeps():
    async def main():
        await asyncio.sleep(0.01)
        time.sleep(0.4)
    asyncio.run(main())

def test_environment():
    print(sorted(name for name in os.environ if name == "LOOPSTALL_HELPER"))
""")
    (tmp_path / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    for words, printed in ((("--stall-hang-after", "never"), False), (("--stall-hang-after", "100ms"), True)):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "--stall-budget", "60s", *words],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("still blocked" in done.stderr) == printed
    assert [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("loopstall")] == []


def test_wrong_time_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--stall-budget", "1s", "--stall-hang-after", "soon"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "--stall-hang-after: 'soon' is not a duration" in done.stderr + done.stdout


def test_session_without_a_helper_says_that_hangs_are_not_reported(tmp_path):
    (tmp_path / "full.py").write_text("""
from loopstall.monitor.outside import owned

def start_helper(**_):
    raise OSError(11, "Resource temporarily unavailable")

owned.start_helper = start_helper
""")
    (tmp_path / "test_it.py").write_text("def test_passes(): pass")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "full", "--stall-budget", "60s"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "No helper process (Resource temporarily unavailable): a stall that goes on is not reported before it has ended."
        in done.stdout
    )
