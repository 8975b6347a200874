"""``loopstall watch --pid PID --inject``: a process that runs already watches itself, and is then as it was."""

import os
import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

from helpers import loopstall, until
from injected import PLAIN, THREAD, UVLOOP, injected, is_again, running, starts, state, takes_scripts, watching
import pytest
from watched_pid import seen

from loopstall.errors import InputError
from loopstall.instrument.injection import check

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process the memory of another one"),
]


@takes_scripts
@starts
def test_stalls_are_told_as_from_within_and_the_program_is_then_as_it_was(tmp_path, start):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        done, report = seen(process, tmp_path, "blocking-call", "sleeps", "--inject")
        assert is_again(tmp_path, before)
        process.kill()
        assert process.stderr.read() == ""
    assert done.returncode == 0, done.stderr
    stalls = [event["stall"] for event in report["stalls"]]
    of_function = [stall for stall in stalls if (stall["culprit"] or {}).get("function") == "sleeps"]
    assert of_function, (stalls, done.stderr)
    assert "blocking-call" in {stall["cause"] for stall in of_function}
    if start in {PLAIN, UVLOOP, THREAD}:
        assert {stall["task"] for stall in of_function} == {"again and again"}
    assert "from within" in done.stderr
    assert "takes everything back as soon as" not in done.stderr
    assert "looked at from inside" not in done.stderr


@takes_scripts
def test_second_watch_is_as_good_as_the_first_and_leaves_as_little(tmp_path):
    with running(tmp_path) as process:
        before = state(tmp_path)
        for _ in range(3):
            done = injected(process, tmp_path, duration="1s")
            assert done.returncode == 0, done.stderr
            assert "in sleeps, task again and again" in done.stderr
            assert "The time to watch was over." in done.stderr
        assert is_again(tmp_path, before)


@takes_scripts
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ended_command_takes_everything_back(tmp_path, number, code):
    with running(tmp_path) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            assert state(tmp_path) != before
            command.send_signal(number)
            _, said = command.communicate(timeout=60)
        assert command.returncode == code, said
        assert "The watch was interrupted." in said
        assert "prog.py" in said
        assert is_again(tmp_path, before)
        assert not list((tmp_path / "tmp").iterdir())


@takes_scripts
@starts
def test_program_takes_everything_back_by_itself_when_the_command_is_killed(tmp_path, start):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            assert state(tmp_path) != before
            command.kill()
            command.wait()
        assert is_again(tmp_path, before)
        assert until(lambda: not list((tmp_path / "tmp").iterdir()))
        process.kill()
        assert process.stderr.read() == ""


@takes_scripts
def test_main_thread_that_never_runs_is_told_and_finds_nothing_to_run_later(tmp_path):
    body = "await again() if not await asyncio.to_thread(input) else None"
    with running(tmp_path, body=body, stdin=subprocess.PIPE) as process:
        done = injected(process, tmp_path, duration="4s")
        assert done.returncode == 5, done.stderr  # it waits for events, and runs nothing
        assert "begins as soon as that runs Python again" in done.stderr
        assert "nothing was watched" in done.stderr
        process.stdin.write("\n")
        process.stdin.flush()
        assert injected(process, tmp_path).returncode == 0
        process.kill()
        assert process.stderr.read() == ""


@takes_scripts
def test_hang_is_told_while_it_lasts(tmp_path):
    body = "task = asyncio.create_task(again())\n    await asyncio.to_thread(input)\n    input()\n    await task"
    with running(tmp_path, body=body, stdin=subprocess.PIPE) as process:
        before = state(tmp_path)
        with watching(process, tmp_path) as command:
            process.stdin.write("\n")
            process.stdin.flush()
            told = ""
            while "still blocked for" not in told:
                told = command.stderr.readline()
                assert told, process.poll()
            assert re.search(r"still blocked for \d\.\d+ s.*prog\.py:\d+ in main", told)
            process.stdin.write("\n")
            process.stdin.flush()
            command.send_signal(signal.SIGINT)
            assert command.wait(60) == 0
        assert is_again(tmp_path, before)


@takes_scripts
def test_stall_over_the_limit_ends_in_1(tmp_path):
    with running(tmp_path) as process:
        assert injected(process, tmp_path, "--fail-over", "30ms").returncode == 1
        assert injected(process, tmp_path, "--fail-over", "30s").returncode == 0


@takes_scripts
def test_process_in_which_no_loop_runs_is_inconclusive(tmp_path):
    with running(tmp_path, "print('up', flush=True)\nwhile True: time.sleep(0.01)") as process:
        done = injected(process, tmp_path)
        assert done.returncode == 5, done.stderr
        assert "No event loop ran in it meanwhile." in done.stderr


@takes_scripts
def test_command_ends_when_the_process_does(tmp_path):
    with running(tmp_path) as process:
        threading.Timer(3, process.kill).start()
        done = injected(process, tmp_path, duration="60s")
    assert done.returncode == 0, done.stderr
    assert "The process has ended." in done.stderr


@takes_scripts
@pytest.mark.parametrize("how", ["flag", "variable"])
def test_process_that_allows_no_remote_debugging_is_told(tmp_path, how):
    flags = ("-X", "disable-remote-debug") if how == "flag" else ()
    env = {**os.environ, "PYTHON_DISABLE_REMOTE_DEBUG": "1"} if how == "variable" else None
    with running(tmp_path, flags=flags, env=env) as process:
        done = injected(process, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "remote debugging disabled" in done.stderr
    assert "Traceback" not in done.stderr


@takes_scripts
def test_process_that_is_watched_already_is_told_and_goes_on_to_be(tmp_path):
    with running(tmp_path) as process, watching(process, tmp_path) as command:
        done = injected(process, tmp_path)
        assert done.returncode == 2, done.stderr
        assert "it is watched already, by another --inject" in done.stderr
        count = (tmp_path / "lines.jsonl").read_text().count("\n")
        assert until(lambda: (tmp_path / "lines.jsonl").read_text().count("\n") > count)
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 0


@takes_scripts
@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("import loopstall\nwith loopstall.watch():\n    asyncio.run(main())", "it is watched already, by itself"),
        ("sys.modules['loopstall'] = types.ModuleType('loopstall')\nasyncio.run(main())", "cannot import loopstall"),
        ("import loopstall\nloopstall.__version__ = '0.0.1'\nasyncio.run(main())", "it has imported loopstall 0.0.1"),
        ("os.environ['LOOPSTALL_WATCH'] = ''\nasyncio.run(main())", "it was started by loopstall watch"),
    ],
)
def test_process_that_cannot_watch_itself_is_told_and_left_as_it_is(tmp_path, start, part):
    with running(tmp_path, start) as process:
        before = state(tmp_path)
        done = injected(process, tmp_path)
        assert is_again(tmp_path, before)
    assert done.returncode == 2, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_use_is_told(tmp_path):
    for words, part in (
        (("--inject", "prog.py"), "--inject is for --pid"),
        (("--pid", 2**22 + 1, "--inject"), "no process"),
    ):
        done = loopstall("watch", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert part in done.stderr


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="from 3.14 on it can be done")
def test_older_python_is_told(tmp_path):
    with running(tmp_path) as process:
        done = injected(process, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "only 3.14 and later run code of others: watch it from outside" in done.stderr


@pytest.mark.parametrize("free_threaded", [False, True])
def test_other_version_than_the_commands_is_told(free_threaded):
    process = SimpleNamespace(pid=os.getpid(), version=(3, 99), free_threaded=free_threaded)
    with pytest.raises(InputError, match=r"is Python 3\.99, which takes code from the same Python alone"):
        check(process)
