"""What the monitor must not do to a program, each seen in a process of its own."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("sampler")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the means are Linux's")

BEGINNING = """
import asyncio, ctypes, json, os, signal, sys, threading, time
import loopstall

def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

def tell(stalls, **more):
    one = max(stalls, key=lambda stall: stall.duration_ns)
    print(json.dumps({"in": one.culprit and one.culprit.function, "cause": one.cause, "faults": stalls.faults, **more}))
"""


def told(program):
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "loopstall" not in done.stderr
    return json.loads(done.stdout)


def test_recursion_to_its_limit_gets_there():
    program = """
def deep(depth):
    try:
        return deep(depth + 1)
    except RecursionError:
        return depth
def again(depth):
    if not depth:
        total = 0
        for number in range(3_000_000):
            total += number
        return 0
    return again(depth - 1)
async def main():
    deepest = deep(0)
    await asyncio.sleep(0.01)
    for short in (4, 3, 2):
        again(deepest - short)
        await asyncio.sleep(0.01)
with loopstall.watch() as stalls:
    asyncio.run(main())
tell(stalls)
"""
    seen = told(program)
    assert (seen["in"], seen["faults"]) == ("again", [])


@linux
def test_signals_are_the_programs_own():
    program = """
came = []
async def main():
    await asyncio.sleep(0.02)
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, lambda number, _: came.append(number))
    burn(0.05)
    await asyncio.sleep(0.01)
    burn(0.05)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.kill(os.getpid(), signal.SIGTERM)
    burn(0.05)
    came.append(signal.sigwait([signal.SIGTERM]))
with loopstall.watch() as stalls:
    asyncio.run(main())
mine = [callable(signal.getsignal(number)) for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1)]
tell(stalls, came=came, mine=all(mine))
"""
    seen = told(program)
    assert (seen["came"], seen["mine"], seen["faults"]) == ([15], True, [])


@linux
def test_wait_in_c_that_keeps_the_gil_is_not_cut_short():
    program = """
kept = ctypes.PyDLL(None, use_errno=True).usleep
async def main():
    await asyncio.sleep(0.02)
    return [kept(80_000) for _ in range(5)]
with loopstall.watch() as stalls:
    cut = asyncio.run(main())
tell(stalls, cut=cut)
"""
    seen = told(program)
    assert (seen["cut"], seen["in"].split(".")[0]) == ([0] * 5, "main")


@linux
@pytest.mark.parametrize("busy", [True, False])
def test_handler_that_runs_while_the_loop_waits_is_told_with_its_line(busy):
    program = f"""
def on_alarm(*_):
    time.sleep(0.3)
async def tick():
    while True:
        await asyncio.sleep(0.01)
async def main():
    ticker = asyncio.create_task(tick()) if {busy} else None
    await asyncio.sleep(0.05)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.025)
    await asyncio.sleep(0.1)
with loopstall.watch() as stalls:
    asyncio.run(main())
tell(stalls)
"""
    seen = told(program)
    assert seen["in"] == "on_alarm"
    assert seen["cause"] in {"blocking-call", "descheduled"}  # the latter where the machine is busy with other things


PATCH = """
import _thread, types
names = ("get_ident", "get_native_id", "start_new_thread")
saved = {name: getattr(_thread, name) for name in names}
monkey = sys.modules["gevent.monkey"] = types.ModuleType("gevent.monkey")
monkey.get_original = lambda module, name: saved.get(name) or getattr(sys.modules[module], name)
def broken(*_args, **_named):
    raise SystemError("a thread is asked of what makes greenlets")
def patch(module):
    for name in names:
        setattr(module, name, broken if name.startswith("start") else lambda: 7)
patch(threading)
threading.Thread.start = broken
"""
ANEW = """
for name in [name for name in sys.modules if name.startswith("loopstall")]:
    del sys.modules[name]
patch(_thread)
import loopstall
for name in names:  # Python needs them to import anything
    setattr(_thread, name, saved[name])
"""


@pytest.mark.parametrize("patched_first", [True, False])
def test_threads_are_asked_of_the_system_where_a_program_has_greenlets_for_them(patched_first):
    program = """
async def main():
    for _ in range(2):
        await asyncio.sleep(0.02)
        burn(0.1)
with loopstall.watch() as stalls:
    asyncio.run(main())
tell(stalls)
threading.get_ident = saved["get_ident"]  # Python needs it to end
"""
    seen = told(PATCH + (ANEW if patched_first else "") + program)
    assert (seen["in"], seen["faults"]) == ("burn", [])
    assert seen["cause"] in {"cpu-python", "cpu-native", "descheduled"}
