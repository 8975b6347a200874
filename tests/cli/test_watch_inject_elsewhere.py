"""``loopstall watch --pid PID --inject`` of other processes than a command of one's own: forked, contained, served."""

import os
from pathlib import Path
import signal
import subprocess
import sys
from types import SimpleNamespace

from helpers import loopstall
from injected import NAMED, PLAIN, PROGRAM, injected, is_again, running, state, takes_scripts
import pytest
from services import loaded
from watched_pid import WATCH

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process the memory of another one"),
]


@takes_scripts
def test_forked_child_watches_itself_and_its_parent_is_left_alone(tmp_path):
    start = "if os.fork():\n    os.wait()\nelse:\n    asyncio.run(main())"
    with running(tmp_path, start) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        child = SimpleNamespace(pid=int(children.read_text()))
        try:
            before = state(tmp_path)
            done = injected(child, tmp_path)
            assert is_again(tmp_path, before)
            assert parent.poll() is None
        finally:
            os.kill(child.pid, signal.SIGKILL)
        assert parent.wait(60) == 0
        assert parent.stderr.read() == ""
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


@pytest.fixture
def contained(tmp_path):
    """A program in a container, where it is process 1: its command's number outside, and the words that enter."""
    words = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable)
    if subprocess.run([*words, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces can be made here")
    with running(tmp_path, command=words) as outer:
        (number,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        yield int(number), ["nsenter", "--target", number, "--pid", "--mount", "--root"]
        os.kill(int(number), signal.SIGKILL)


@takes_scripts
def test_process_of_a_container_watches_itself_where_the_command_runs_there(contained, tmp_path):
    _, enter = contained
    words = [*enter, *WATCH, "--pid", "1", "--inject", "--duration", "2s"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


@takes_scripts
def test_host_is_told_that_it_cannot_have_a_containers_process_watch_itself(contained, tmp_path):
    number, _ = contained
    done = injected(SimpleNamespace(pid=number), tmp_path)
    assert done.returncode == 2, done.stderr
    assert "sees other files than this one, as in a container: run loopstall there, or watch it from" in done.stderr
    assert loopstall("watch", "--pid", number, "--duration", "2s", cwd=tmp_path).returncode == 0


NOBODY = 65534


@takes_scripts
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can watch another user's process")
def test_root_watches_the_process_of_another_user(tmp_path):
    code = PROGRAM.format(body=NAMED, start=PLAIN).replace("        write()\n", "")
    see = [sys.executable, "-c", "import loopstall"]
    if subprocess.run(see, cwd="/", user=NOBODY, check=False, capture_output=True).returncode:
        pytest.skip("loopstall is installed where no other user may read it")
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd="/", user=NOBODY, group=NOBODY, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "up\n"
            done = injected(process, tmp_path)
        finally:
            process.kill()
    assert done.returncode == 0, done.stderr
    assert "in sleeps, task again and again" in done.stderr


APP = """
import time

async def app(scope, receive, send):
    if scope["type"] == "http":
        time.sleep(0.06)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""


@takes_scripts
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_service_watches_itself(tmp_path, loop):
    with loaded(tmp_path, APP, loop, "--lifespan", "off") as (process, ask):
        done = injected(process, tmp_path)
        assert ask()
    assert done.returncode == 0, done.stderr
    assert "blocking-call: app.py:6 in app" in done.stderr
