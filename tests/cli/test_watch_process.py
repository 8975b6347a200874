"""The process of a program under ``loopstall watch``: it behaves as it does by itself, and nothing of it is left."""

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys

from helpers import loopstall, until
import psutil
import pytest
from terminals import WATCH, Terminal

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who has sent a signal"),
]


@contextlib.contextmanager
def running(folder, code, *words, **extra):
    """Runs a program under the command; yields the command once the program has said that it is up."""
    (folder / "prog.py").write_text(code)
    with subprocess.Popen(
        [*WATCH, *words, "prog.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **extra
    ) as command:
        try:
            assert command.stdout.readline() == "up\n"
            yield command
        finally:
            command.kill()


def program_of(command):
    (program,) = psutil.Process(command.pid).children()
    return program


SEES = """
import os, sys, __main__
for name in ("argv", "path", "flags", "warnoptions", "executable"):
    print(repr(str(getattr(sys, name))))
print(repr(str((__name__, __file__, vars(__main__).get("__spec__"), "click" in sys.modules, os.getpgrp() == {group}))))
"""


@pytest.mark.parametrize("flags", [(), ("-X", "dev", "-W", "error", "-O", "-P"), ("-s", "-b")], ids=" ".join)
def test_program_sees_what_it_sees_by_itself(tmp_path, flags):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "prog.py").write_text(SEES.format(group=os.getpgrp()))
    words = ["own/prog.py", "--one", "2"]
    plain, watched = (
        subprocess.run([sys.executable, *flags, *own, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        for own in ((), ("-m", "loopstall", "watch"))
    )
    alone, under = ([ast.literal_eval(line) for line in done.stdout.splitlines()] for done in (plain, watched))
    assert len(alone) == 6
    assert under == alone


def test_arguments_and_input_are_the_programs(tmp_path):
    (tmp_path / "prog.py").write_text("import sys\nprint(sys.argv[1:], sys.stdin.read())\n")
    done = loopstall("watch", "prog.py", "-o", "x", "-m", "y", cwd=tmp_path, input="typed")
    assert done.stdout == "['-o', 'x', '-m', 'y'] typed\n"


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_python_that_does_not_read_its_environment_is_refused(tmp_path, flag):
    (tmp_path / "prog.py").write_text("print('ran')\n")
    code = "import sys; sys.path[:0] = {}; from loopstall.cli import main; main(['watch', 'prog.py'])"
    done = subprocess.run(
        [sys.executable, flag, "-c", code.format(sys.path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "start loopstall without it" in done.stderr
    assert "ran" not in done.stdout


CAPTURES = """
import asyncio, subprocess, sys, time

CHILD = '''
import asyncio, time
async def main():
    time.sleep(0.2)
asyncio.run(main())
print('42')
'''

async def main():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    print(repr(done.stdout), repr(done.stderr), done.returncode)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(int((await child.communicate())[0]))

asyncio.run(main())
"""


def test_output_of_a_child_is_its_own_and_its_stalls_are_told_by_the_watch(tmp_path):
    (tmp_path / "prog.py").write_text(CAPTURES)
    done = loopstall("watch", "-o", "out.json", "prog.py", cwd=tmp_path)
    assert done.stdout == "'42\\n' '' 0\n42\n", done.stderr
    assert done.returncode == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert {name.partition(" ")[0]: count for name, count in document["processes"].items()}["python"] >= 1
    told = [line for line in done.stderr.splitlines() if " loopstall [python " in line]
    assert len(told) == 2
    assert all("blocking-call: <string>:4 in main" in line for line in told)


WAITS = """
import time
print("up", flush=True)
time.sleep(60)
"""

HEARS = """
import signal, sys, time
heard = []
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), lambda number, _: heard.append(number))
print("up", flush=True)
deadline = time.monotonic() + 60
while not heard and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(0.3)  # another one would come now
print([signal.Signals(number).name for number in heard], flush=True)
sys.exit(5)
"""


@pytest.mark.parametrize(
    "name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH"]
)
def test_signal_that_is_sent_to_the_command_reaches_the_program_once(tmp_path, name):
    code = HEARS.replace("sys.argv[1:]", repr([name]))
    with running(tmp_path, code) as command:
        command.send_signal(getattr(signal, name))
        said, told = command.communicate(timeout=60)
    assert said == f"[{name!r}]\n"
    assert command.returncode == 5
    assert "0 stalls" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGABRT])
def test_program_that_a_signal_ends_ends_the_command_with_its_number(tmp_path, number):
    with running(tmp_path, WAITS) as command:
        command.send_signal(number)
        _, told = command.communicate(timeout=60)
    assert command.returncode == 128 + number
    assert ("KeyboardInterrupt" in told) is (number == signal.SIGINT)
    assert "0 stalls" in told


def test_signal_that_the_program_sends_its_group_does_not_come_back_to_it(tmp_path):
    code = HEARS.replace("sys.argv[1:]", "['SIGUSR1']").replace(
        "deadline =", "import os; os.killpg(0, signal.SIGUSR1)\ndeadline ="
    )
    with running(tmp_path, code, start_new_session=True) as command:
        said, _ = command.communicate(timeout=60)
    assert said == "['SIGUSR1']\n"
    assert command.returncode == 5


def test_program_dies_with_a_command_that_is_killed(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # in which it leaves its folder
    with running(tmp_path, WAITS, env=environment) as command:
        program = program_of(command)
        command.kill()
        command.wait()
        assert until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE)


def test_program_dies_with_a_command_that_fails(tmp_path):
    code = (
        "import os, sys\nfrom loopstall.instrument.supervisor import supervise\n"
        "def fail():\n    raise ValueError('ours')\n"
        "def started(program):\n    print(program, flush=True)\n"
        "supervise([sys.executable, '-c', 'import time; time.sleep(60)'], {}, started=started, meanwhile=fail)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "ValueError: ours" in done.stderr
    assert not psutil.pid_exists(int(done.stdout))


ELSEWHERE = """
import os, sys
from loopstall.instrument.supervisor import Terminal, _pass_on_elsewhere
words = [sys.executable, "prog.py"]
sys.exit(_pass_on_elsewhere(words, dict(os.environ), started=lambda _: None, meanwhile=lambda: None,
                            terminal=Terminal()))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_signals_are_passed_on_where_nothing_says_who_sent_them(tmp_path, name):
    (tmp_path / "prog.py").write_text(HEARS.replace("sys.argv[1:]", repr([name])))
    with subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout.readline() == "up\n"
        supervisor.send_signal(signal.SIGINT)  # as from a terminal, where the program has got it too
        supervisor.send_signal(getattr(signal, name))
        said, _ = supervisor.communicate(timeout=60)
    assert said == f"[{name!r}]\n"
    assert supervisor.returncode == 5


def test_what_the_program_leaves_running_is_not_waited_for(tmp_path):
    code = (
        "import os, subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(left.pid, flush=True)\nos._exit(3)\n"
    )
    (tmp_path / "prog.py").write_text(code)
    done = loopstall("watch", "prog.py", cwd=tmp_path, timeout=30)
    try:
        assert done.returncode == 3
        assert psutil.pid_exists(int(done.stdout))
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


def test_stalls_are_told_while_the_program_runs(tmp_path):
    code = (
        "import asyncio, time\nasync def main():\n    time.sleep(0.2)\nasyncio.run(main())\n"
        "print('up', flush=True)\ninput()\n"
    )
    with running(tmp_path, code, "--json-lines", "s.jsonl", stdin=subprocess.PIPE) as command:
        assert "prog.py:3 in main" in command.stderr.readline()
        assert until(lambda: (tmp_path / "s.jsonl").read_text().count("\n") == 1)
        command.communicate("\n", timeout=60)
    assert command.returncode == 0


INTERRUPTED = """
import sys, time
try:
    print("up", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("once", flush=True)
    try:
        time.sleep(0.5)  # another one would come now
    except KeyboardInterrupt:
        print("twice", flush=True)
    sys.exit(7)
"""


def terminal_with(folder, code, shell=""):
    """Runs a program under the command on a terminal of its own."""
    (folder / "prog.py").write_text(code)
    return Terminal(folder, *WATCH, "prog.py", under=shell)


def test_ctrl_c_reaches_the_program_once_and_the_summary_follows(tmp_path):
    terminal = terminal_with(tmp_path, INTERRUPTED)
    assert terminal.reads(b"up")
    terminal.type(b"\x03")
    assert terminal.reads(b"0 stalls"), terminal.said
    assert terminal.ended() == 7
    terminal.close()
    assert b"once" in terminal.said
    assert b"twice" not in terminal.said
    assert b"Traceback" not in terminal.said


def test_end_of_the_terminal_reaches_the_program(tmp_path):
    code = (
        "import signal, sys, time\n"
        "def hear(number, _):\n    open('heard', 'w').write(str(number))\n    sys.exit(0)\n"
        "signal.signal(signal.SIGHUP, hear)\nopen('ready', 'w').close()\ntime.sleep(60)\n"
    )
    terminal = terminal_with(tmp_path, code)
    assert until((tmp_path / "ready").exists)
    terminal.close()
    terminal.ended()
    assert (tmp_path / "heard").read_text() == str(int(signal.SIGHUP))


STOPS = {
    "default": "",
    "by itself": "signal.signal(signal.SIGTSTP, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))\n",
}


@pytest.mark.parametrize("how", [*STOPS])
def test_ctrl_z_stops_both_and_both_go_on(tmp_path, how):
    code = (
        f"import os, signal, sys\n{STOPS[how]}print('up', flush=True)\nprint('got', input(), flush=True)\nsys.exit(8)\n"
    )
    shell = "set -m; {}; echo stopped $?; fg; echo ended $?"
    terminal = terminal_with(tmp_path, code, shell)
    assert terminal.reads(b"up")
    terminal.type(b"\x1a")
    assert terminal.reads(b"stopped 1"), terminal.said
    terminal.type(b"word\n")
    assert terminal.reads(b"ended 8"), terminal.said
    assert b"got word" in terminal.said
    terminal.ended()
    terminal.close()
