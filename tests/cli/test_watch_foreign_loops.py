"""Programs whose loops are run by somebody else: nest_asyncio, gevent's threads, Qt, and a loop that is written in Rust."""

import importlib
import json
import os
import subprocess
import sys

from helpers import loopstall
from own_tests import run
import pytest
from watched_pid import seen

pytestmark = [
    pytest.mark.alone, pytest.mark.once, pytest.mark.skipif(sys.platform != "linux", reason="the cause needs Linux"),
]  # fmt: skip

BLOCKS = """
import os

async def blocks():
    for _ in range(int(os.environ.get("TIMES", "1"))):
        await asyncio.sleep(0.3)
        slept(0.2)
        await asyncio.sleep(0.3)
"""
PROGRAMS = {
    "nest_asyncio": f"""
import asyncio, nest_asyncio
from time import sleep as slept
nest_asyncio.apply()
{BLOCKS}
async def main():
    asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.3))
    asyncio.get_event_loop().run_until_complete(blocks())

asyncio.run(main())
""",
    "gevent": f"""
from gevent import monkey
monkey.patch_all()
import asyncio, gevent
slept = monkey.get_original("time", "sleep")
{BLOCKS}
gevent.get_hub().threadpool.spawn(asyncio.run, blocks()).get()
""",
    "qasync": f"""
import asyncio, qasync
from PyQt6.QtCore import QCoreApplication
from time import sleep as slept
{BLOCKS}
app = QCoreApplication([])
with qasync.QEventLoop(app) as loop:
    loop.run_until_complete(blocks())
""",
    "rloop": f"""
import asyncio, rloop
from time import sleep as slept
{BLOCKS}
with asyncio.Runner(loop_factory=rloop.new_event_loop) as runner:
    runner.run(blocks())
""",
}
LONG_NS = 150_000_000
"""A sleep of 0.2 s is longer, however late a heartbeat is; so are the waits of 0.3 s, which are no stalls."""


@pytest.fixture(params=PROGRAMS)
def program(request, tmp_path):
    """A program that blocks its loop once, and waits for other things for longer than a stall may last."""
    for name in (request.param, *(["PyQt6.QtCore"] if request.param == "qasync" else [])):
        try:
            importlib.import_module(name)
        except ImportError as error:
            pytest.skip(str(error))
    path = tmp_path / "program.py"
    path.write_text(f"{PROGRAMS[request.param]}\nprint('end')\n")
    return path


def the_block(folder):
    """The causes and the functions of the stalls of a report that are long, each once."""
    told = [event["stall"] for event in json.loads((folder / "out.json").read_text())["stalls"]]
    return {(stall["cause"], stall["culprit"]["function"]) for stall in told if stall["duration_ns"] > LONG_NS}


def test_block_is_told_with_its_line_and_nothing_that_waits_is_under_watch(program):
    done = loopstall("watch", "-o", "out.json", program.name, cwd=program.parent)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
    assert the_block(program.parent) == {("blocking-call", "blocks")}


def test_block_fails_its_test_with_its_line_under_the_plugin(program):
    tests = f"def test_it():\n    import runpy\n    runpy.run_path({str(program)!r}, run_name='__main__')\n"
    done = run(program.parent, tests, "--stall-budget", "150ms", "--stall-report", "out.json")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert the_block(program.parent) == {("blocking-call", "blocks")}


def test_block_is_seen_from_outside_with_its_line(program):
    command = [sys.executable, program]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "TIMES": "1000"}) as process:
        try:
            done, _ = seen(process, program.parent, "blocking-call", "blocks")
            dump = loopstall("dump", str(process.pid), cwd=program.parent)
        finally:
            process.kill()
    assert done.returncode == 0, done.stderr
    assert the_block(program.parent) == {("blocking-call", "blocks")}
    assert dump.returncode == 0
    if "gevent" not in program.read_text():  # where it waits, the thread is in gevent's own loop
        assert "no event loop" not in dump.stdout
