"""Tests that hang are printed while they do, by the plugin as users run it."""

import os
import subprocess
import sys

from own_tests import FINE, run
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


@pytest.mark.parametrize(
    "words", [(), ("-p", "xdist", "-n", "1"), ("-p", "no:capture")], ids=["alone", "worker", "no capture"]
)
def test_hanging_test_is_named_with_its_stack_before_it_is_killed(tmp_path, words):
    if "-n" in words:
        pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(HANGS)
    words = ["-s"] if "no:capture" in words else list(words)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOOPSTALL"))}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "loopstall.pytest_plugin", *words,
         "--stall-budget", "50ms", "--stall-hang-after", "200ms"],
        cwd=tmp_path, env={**environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0,
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
    tests = "def test_sleeps():\n    blocked(0.4)\n"
    (tmp_path / "tmp").mkdir()
    for after, printed in (("never", False), ("100ms", True)):
        done = run(
            tmp_path, tests, "-s", "--stall-budget", "60s", "--stall-hang-after", after, TMPDIR=str(tmp_path / "tmp")
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("still blocked" in done.stderr) == printed
    assert [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("loopstall")] == []


def test_wrong_time_is_refused(tmp_path):
    done = run(tmp_path, FINE, "--stall-budget", "1s", "--stall-hang-after", "soon")
    assert done.returncode == 4
    assert "--stall-hang-after: 'soon' is not a duration" in done.stderr + done.stdout


def test_session_without_a_helper_says_that_hangs_are_not_reported(tmp_path):
    (tmp_path / "full.py").write_text("""
from loopstall.monitor.outside import owned

def start_helper(**_):
    raise OSError(11, "Resource temporarily unavailable")

owned.start_helper = start_helper
""")
    done = run(tmp_path, FINE, "--stall-budget", "60s", plugins=("full",))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "No helper process (Resource temporarily unavailable): a stall that goes on is not reported before it has ended."
        in done.stdout
    )
