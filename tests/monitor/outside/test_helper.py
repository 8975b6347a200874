"""Real programs that are looked at from outside: what is seen, what they pay, and what is left of it all."""

import os
import signal
import subprocess
import sys
import time

from helpers import until
import psutil
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")]

HEAD = """
import asyncio, json, os, signal, subprocess, sys, threading, time
import loopstall

def helper():
    from loopstall.monitor.outside import link
    return link._links[0]
"""


def run(tmp_path, body, *words, check=True):
    """Runs a program, and returns what it printed."""
    path = tmp_path / "program.py"
    path.write_text(HEAD + body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path), *words], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def helpers_of(pid):
    """Helpers whose program was a process: they have no other sign of it than an open connection."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any("outside.helper" in word for word in words) and process.pid != pid:
            found.append(process.pid)
    return set(found)


def test_stall_has_its_line_its_task_and_its_label(tmp_path):
    out = run(tmp_path, """
from loopstall.monitor.labels import labelled

async def handler():
    with labelled(lambda: "GET /slow"):
        time.sleep(0.1)
        await asyncio.sleep(0.01)

async def main():
    await asyncio.sleep(0.05)
    await asyncio.create_task(handler(), name="the handler")

with loopstall.watch(sampler="outside") as stalls:
    asyncio.run(main())
stall = max(stalls, key=lambda stall: stall.duration_ns)
print(stall.culprit.function, stall.task, stall.coroutine, stall.label, stall.cause, stall.evidence.outside, sep="|")
print(stalls.faults)
""")  # fmt: skip
    assert out.splitlines() == ["handler|the handler|handler|GET /slow|blocking-call|True", "()"]


def test_program_has_no_thread_no_signal_and_no_child_of_ours(tmp_path):
    out = run(tmp_path, """
async def main():
    await asyncio.sleep(0.05)
    time.sleep(0.05)
    print(threading.active_count(), len(os.listdir("/proc/self/task")))
    print([n for n in range(1, signal.NSIG) if n in signal.valid_signals() and signal.getsignal(n) not in
           {signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler, None}])
    try:
        print(os.waitpid(-1, os.WNOHANG))
    except ChildProcessError:
        print("no child")
    await asyncio.sleep(0.01)

with loopstall.watch(sampler="outside") as stalls:
    asyncio.run(main(), loop_factory=None) if sys.version_info >= (3, 12) else asyncio.run(main())
""")  # fmt: skip
    threads, handlers, children = out.splitlines()
    assert threads == "1 1"
    assert handlers in {"[]", "[2]"}  # asyncio.run handles SIGINT itself
    assert children == "no child"


def test_helper_ends_with_its_program_however_that_ends(tmp_path):
    before = helpers_of(0)
    for end in (
        "pass",
        "os._exit(3)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
    ):
        run(tmp_path, f"""
async def main():
    await asyncio.sleep(0.01)
    time.sleep(0.05)
    await asyncio.sleep(0.01)

with loopstall.watch(sampler="outside"):
    asyncio.run(main())
    {end}
""", check=False)  # fmt: skip
    assert until(lambda: helpers_of(0) <= before, 20)


def test_killed_helper_is_replaced_by_the_way_inside_and_that_is_said(tmp_path):
    out = run(tmp_path, """
async def main():
    await asyncio.sleep(0.05)
    for turn in range(4):
        if turn == 1:  # what the helper has seen stays where it is, and nobody takes it away
            os.kill(helper().pid, signal.SIGKILL)
            while not helper().fault():
                await asyncio.sleep(0.01)
        time.sleep(0.1)
        await asyncio.sleep(0.02)

with loopstall.watch() as stalls:
    asyncio.run(main())
long = [stall for stall in stalls if stall.duration_ns > 90_000_000]
print(len(long), long[-1].culprit.function, long[-1].evidence.outside)
print(*stalls.faults, sep="; ")
""")  # fmt: skip
    seen, faults = out.splitlines()
    assert seen == "4 main False"
    assert faults == "the loop is looked at from inside its process: the helper process has ended"


def test_forked_child_leaves_the_helper_to_its_parent(tmp_path):
    out = run(tmp_path, """
def child():
    with loopstall.watch(sampler="outside") as stalls:
        async def main():
            await asyncio.sleep(0.05)
            time.sleep(0.1)
            await asyncio.sleep(0.01)
        asyncio.run(main())
    print(max(stalls, key=lambda stall: stall.duration_ns).culprit.function, flush=True)

async def main():
    await asyncio.sleep(0.05)
    pid = os.fork()
    if not pid:
        asyncio.events._set_running_loop(None)
        threading.Thread(target=child).start()
        threading.enumerate()[-1].join()
        os._exit(0)
    os.waitpid(pid, 0)
    await asyncio.sleep(0.01)

with loopstall.watch(sampler="outside") as stalls:
    asyncio.run(main())
print(max(stalls, key=lambda stall: stall.duration_ns).culprit.line, *stalls.faults)
""")  # fmt: skip
    child, parent = out.splitlines()
    assert child == "child.<locals>.main"
    assert parent.isdigit()


def test_healthy_loop_does_not_wake_the_helper(tmp_path):
    out = run(tmp_path, """
async def main():
    await asyncio.sleep(0.3)
    pid = helper().pid
    read = lambda: [line for line in open(f"/proc/{pid}/status") if line.startswith("voluntary_ctxt")]
    count = lambda: sum(int(line.split()[1]) for line in read())
    before = count()
    for _ in range(1000):
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0.01)
    print(count() - before)

with loopstall.watch(0.5, sampler="outside"):
    asyncio.run(main())
""")  # fmt: skip
    assert int(out) < 300  # of a thousand turns and fifty waits; some end late on a busy machine, and are looked into


def test_helper_is_small(tmp_path):
    out = run(tmp_path, """
async def main():
    for _ in range(5):
        await asyncio.sleep(0.02)
        time.sleep(0.05)
    status = open(f"/proc/{helper().pid}/status").read()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

with loopstall.watch(sampler="outside"):
    asyncio.run(main())
""")  # fmt: skip
    assert int(out) <= 15 * 1024


def test_thread_that_already_waits_for_children_meets_none_of_ours(tmp_path):
    out = run(tmp_path, """
def on_child(*_):
    seen.append(1)

seen = []
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with loopstall.watch(sampler="outside") as stalls:
    async def main():
        await asyncio.sleep(0.05)
        time.sleep(0.1)
        await asyncio.sleep(0.01)
    asyncio.run(main())
print(max(stalls, key=lambda stall: stall.duration_ns).culprit.function, *stalls.faults)
""")  # fmt: skip
    assert out.split() == ["main"]


def test_unknown_sampler_is_refused():
    import loopstall

    with pytest.raises(ValueError, match="sampler must be one of auto, outside, inside, not 'above'"):
        loopstall.watch(sampler="above")


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_signals_of_the_terminal_do_not_reach_the_helper(tmp_path, signal_number):
    path = tmp_path / "program.py"
    path.write_text(HEAD + """
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, lambda *_: None)
async def main():
    await asyncio.sleep(0.05)
    print("ready", flush=True)
    sys.stdin.readline()
    time.sleep(0.1)
    await asyncio.sleep(0.01)
with loopstall.watch(sampler="outside") as stalls:
    asyncio.run(main())
print(*stalls.faults)
""")  # fmt: skip
    with subprocess.Popen(
        [sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as program:
        assert program.stdout.readline() == "ready\n"
        os.killpg(program.pid, signal_number)
        time.sleep(0.1)
        out, _ = program.communicate("\n", timeout=60)
    assert out.strip() == ""
