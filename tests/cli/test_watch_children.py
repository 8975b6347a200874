"""Servers and programs that start others under ``loopstall watch``: each tells of its own stalls."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

from helpers import loopstall
import pytest
from services import free_port

pytestmark = pytest.mark.alone


WORKERS = """
import asyncio, multiprocessing, os, sys, time

async def handler():
    time.sleep(0.2)

def work():
    asyncio.run(handler())

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    workers = [context.Process(target=work, name=f"worker-{number}") for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""


@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_processes_of_the_program_tell_of_their_own_and_are_summed_up(tmp_path, how):
    (tmp_path / "prog.py").write_text(WORKERS)
    done = loopstall("watch", "-o", "out.json", "--json-lines", "s.jsonl", "prog.py", how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("worker-1", "worker-2"):
        assert f"loopstall [{name} " in done.stderr
    assert "2 stalls: prog.py:5 in handler (blocking-call)" in done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["count"] == 2
    assert {name.partition(" ")[0] for name in document["processes"]} == {"worker-1", "worker-2"}
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 2


def test_stall_of_a_worker_breaks_the_budget_too(tmp_path):
    (tmp_path / "prog.py").write_text(WORKERS)
    assert loopstall("watch", "--fail-over", "100ms", "prog.py", "spawn", cwd=tmp_path).returncode == 1


def test_started_programs_keep_their_own_sitecustomize_and_need_no_loop(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 5\n")
    child = "import sys; assert mine == 5; assert 'asyncio' not in sys.modules; print('fine')"
    (tmp_path / "prog.py").write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n")
    done = loopstall("watch", "prog.py", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")})
    assert "fine" in done.stdout, done.stderr


def test_python_that_ignores_the_environment_is_not_watched(tmp_path):
    child = "import asyncio, time\nasync def main():\n    time.sleep(0.2)\nasyncio.run(main())"
    for words, stalls in ((["-I"], "0 stalls"), ([], "1 stall,")):
        (tmp_path / "prog.py").write_text(
            f"import subprocess, sys\nsubprocess.run([sys.executable, *{words}, '-c', {child!r}], check=True)\n"
        )
        done = loopstall("watch", "prog.py", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert stalls in done.stderr


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
    port = free_port()
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


@pytest.mark.parametrize("how", [("--workers", "2"), ("--reload",)], ids=["workers", "reload"])
def test_workers_and_reloaders_of_uvicorn_report_their_own(tmp_path, how):
    pytest.importorskip("uvicorn")
    pytest.importorskip("fastapi")
    (tmp_path / "app.py").write_text(
        "import time\nfrom fastapi import FastAPI\nfrom loopstall.asgi import StallMiddleware\napp = FastAPI()\n"
        "@app.get('/slow/{number}')\nasync def slow(number: int):\n    time.sleep(0.2)\n    return number\n"
        "app.add_middleware(StallMiddleware)\n"
    )
    port = free_port()
    command = [sys.executable, "-m", "loopstall", "watch", "-o", "out.json", "-m", "uvicorn", "app:app", *how]
    with subprocess.Popen(
        [*command, "--port", str(port)], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as server:
        deadline = time.monotonic() + 60
        for number in range(4):
            while True:
                try:
                    assert asked(f"http://127.0.0.1:{port}/slow/{number}") == str(number).encode()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=60)
    document = json.loads((tmp_path / "out.json").read_text())
    slow = [one for one in document["stalls"] if (one["stall"]["culprit"] or {}).get("function") == "slow"]
    assert len(slow) == 4, said
    assert {one["stall"]["label"] for one in slow} == {"GET /slow/{number}"}
    assert all(one["process"].startswith("SpawnProcess-") for one in slow)
    assert "app.py:7 in slow" in said
