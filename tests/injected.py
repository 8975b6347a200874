"""A program that says of itself what it has open, patched and in place, and ``loopstall watch --pid PID --inject`` of it."""

import contextlib
import json
import os
import subprocess
import sys

from helpers import loopstall, until
import pytest
from watched_pid import WATCH

takes_scripts = pytest.mark.skipif(not hasattr(sys, "remote_exec"), reason="only Python 3.14 and later run scripts")

PROGRAM = """
import asyncio, atexit, gc, json, os, selectors, sys, threading, time, types

def fds():
    found = {{}}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{{name}}")
        except OSError:
            pass
    return sorted(name for name in found.values() if "libffi" not in name and "/proc/" not in name)

def state():
    uvloop = sys.modules.get("uvloop")
    gc.collect()
    return {{
        "fds": fds(),
        "threads": len(os.listdir("/proc/self/task")),
        "path": sys.path,
        "finders": [str(one) for one in sys.meta_path],
        "collector": len(gc.callbacks),
        "at exit": atexit._ncallbacks(),
        "patched": [asyncio.BaseEventLoop.run_forever.__module__, asyncio.events._set_running_loop.__module__],
        "uvloop": uvloop and "run_forever" in vars(uvloop.Loop),
        "environment": dict(os.environ),
        "select": [sorted(vars(one)) for one in gc.get_objects() if isinstance(one, selectors.BaseSelector)],
        "loops": [sorted(vars(one)) for one in gc.get_objects() if isinstance(one, asyncio.BaseEventLoop)],
        "children": open(f"/proc/self/task/{{os.getpid()}}/children").read(),
    }}

def write():
    said = json.dumps(state())
    with open("state.new", "w") as file:
        file.write(said)
    os.rename("state.new", "state.json")

def sleeps():
    time.sleep(0.06)

async def again(pause=0.1):
    while True:
        await asyncio.sleep(pause)
        sleeps()
        write()

async def once():
    sleeps()

async def main():
    print("up", flush=True)
    {body}

{start}
"""
PLAIN = "asyncio.run(main())"
UVLOOP = "import uvloop; uvloop.run(main())"
THREAD = "threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()\nwhile True: time.sleep(0.01)"
TRIO = "import trio; asyncio.sleep = trio.sleep; trio.run(main)"
LATER = "print('up', flush=True)\nwhile True:\n    asyncio.run(once())\n    time.sleep(0.1)\n    write()"
NAMED = "await asyncio.create_task(again(), name='again and again')"
KINDS = {PLAIN: "asyncio", UVLOOP: "uvloop", THREAD: "asyncio", TRIO: "trio", LATER: "asyncio"}
starts = pytest.mark.parametrize("start", KINDS, ids=["asyncio", "uvloop", "thread", "trio", "later loops"])


@contextlib.contextmanager
def running(folder, start=PLAIN, body=NAMED, flags=(), command=(sys.executable,), **extra):
    """Runs a program until it has said that it is up."""
    pytest.importorskip(KINDS.get(start, "asyncio"))
    (folder / "prog.py").write_text(PROGRAM.format(body=body if start != TRIO else "await again()", start=start))
    with subprocess.Popen(
        [*command, *flags, "prog.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **extra
    ) as process:
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def injected(process, folder, *words, duration="2s", **extra):
    """Watches a program from within for a time."""
    return loopstall("watch", "--pid", process.pid, "--inject", "--duration", duration, *words, cwd=folder, **extra)


@contextlib.contextmanager
def watching(process, folder, *words):
    """Watches a program from within until the command is ended; yields it once it has told of a stall."""
    temporary, lines = folder / "tmp", folder / "lines.jsonl"
    temporary.mkdir()
    with subprocess.Popen(
        [*WATCH, "--pid", str(process.pid), "--inject", "--json-lines", str(lines), *words],
        cwd=folder, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
    ) as command:  # fmt: skip
        try:
            assert until(lambda: lines.exists() and lines.read_text()), process.poll()
            yield command
        finally:
            command.kill()


def state(folder):
    """What the program says of itself, from now on."""
    (folder / "state.json").unlink(missing_ok=True)
    assert until((folder / "state.json").exists)
    return json.loads((folder / "state.json").read_text())


def is_again(folder, before):
    """Says whether the program comes to be as it was."""
    changed = {"any": True}

    def compared():
        changed.clear()
        changed.update({key: (value, before[key]) for key, value in state(folder).items() if value != before[key]})
        return not changed

    assert until(compared, limit=20), changed
    return True
