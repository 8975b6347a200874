"""Programs under ``loopstall watch``, as users run them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from helpers import loopstall
import pytest

PROGRAM = """
import asyncio, sys, threading, time

async def handler():
    time.sleep(0.2)

async def main():
    await asyncio.gather(handler(), asyncio.sleep(0.01))

if __name__ == "__main__":
    asyncio.run(main())
    print("got", sys.argv[1:])
    sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "prog.py"
    path.write_text(PROGRAM)
    return path


def test_stalls_are_told_as_they_end_and_the_programs_exit_code_is_passed_on(program, tmp_path):
    done = loopstall("watch", "prog.py", 7, "--debug", "-x", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert "got ['7', '--debug', '-x']" in done.stdout
    assert "blocking-call: prog.py:5 in handler, task Task-" in done.stderr
    assert "1 stall: prog.py:5 in handler (blocking-call)" in done.stderr


@pytest.mark.parametrize(("limit", "status"), [("100ms", 1), ("60s", 0)])
def test_fail_over_fails_a_program_that_stalls_for_longer(program, tmp_path, limit, status):
    assert loopstall("watch", "--fail-over", limit, "prog.py", cwd=tmp_path).returncode == status


def test_stacks_and_json_lines_have_everything(program, tmp_path):
    done = loopstall("watch", "--stacks", "--json-lines", "s.jsonl", "prog.py", cwd=tmp_path)
    assert "time.sleep(0.2)" in done.stderr
    assert "what to do:" in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["stall"]["cause"] for line in lines if line["length_ns"] > 1e8] == ["blocking-call"]
    assert lines[0]["stall"]["stack"]


def test_module_is_run_as_python_runs_it(program, tmp_path):
    done = loopstall("watch", "-m", "prog", 3, cwd=tmp_path)
    assert done.returncode == 3
    assert "prog.py:5 in handler" in done.stderr


def test_error_of_the_program_is_its_own(tmp_path):
    (tmp_path / "bad.py").write_text("def f():\n    raise ValueError('its own')\nf()\n")
    done = loopstall("watch", "bad.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "ValueError: its own" in done.stderr
    assert "loopstall/cli" not in done.stderr
    assert "0 stalls" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"), [((), "say which program"), (("no.py",), "does not exist"), (("-m", "nothere"), "nothere")]
)
def test_wrong_use_is_a_sentence(tmp_path, words, said):
    done = loopstall("watch", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ended_program_is_summed_up(tmp_path):
    (tmp_path / "wait.py").write_text(
        "import asyncio, time\nasync def main():\n    time.sleep(0.2)\n    await asyncio.sleep(0)\n"
        "    print('up', flush=True)\n    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    command = [sys.executable, "-m", "loopstall", "watch", "wait.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 143
    assert "1 stall: wait.py:3 in main" in said


def asked(url):
    with urllib.request.urlopen(url, timeout=10) as answer:  # our own server
        return answer.read()


def test_server_names_the_slow_route(tmp_path):
    pytest.importorskip("uvicorn")
    (tmp_path / "app.py").write_text(
        "import time\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n        return\n"
        "    if scope['path'] == '/slow':\n        time.sleep(0.2)\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'ok'})\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "loopstall", "watch", "-m", "uvicorn", "app:app", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ}) as server:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                assert asked(f"{url}/fast") == b"ok"
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert asked(f"{url}/slow") == b"ok"
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=60)
    assert "app.py:6 in app" in said, said
