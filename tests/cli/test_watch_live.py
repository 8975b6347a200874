"""``loopstall watch --live`` and ``--serve``: a program on a terminal of its own, and one that is asked over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

from helpers import loopstall, until
import psutil
import pytest
from terminals import WATCH, Screen, Terminal

pytestmark = [
    pytest.mark.alone,
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who has sent a signal"),
]

SERVES = """
import asyncio, signal, sys, time

def handler():
    time.sleep(0.2)

async def main():
    print("said on stdout", flush=True)
    print("said on stderr", file=sys.stderr)
    while True:
        handler()
        await asyncio.sleep(0.2)

asyncio.run(main())
"""
HANGS = """
import asyncio, os, time

async def main():
    while not os.path.exists("go on"):
        time.sleep(0.05)
    await asyncio.sleep(60)

asyncio.run(main())
"""
SWITCHES = """
import asyncio, os, signal, tty

async def main():
    tty.setraw(0)
    print("\\033[?1049h\\033[?25l\\033[31min a colour", flush=True)
    await asyncio.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
FLOODS = """
import time

line = "x" * 9999 + chr(10)
for _ in range(1000):
    print(line * 8, end="")
time.sleep(1.5)
print("its last words", end="")
raise SystemExit(3)
"""


def live(folder, code, *words, **extra):
    (folder / "prog.py").write_text(code)
    return Screen(folder, *WATCH, "--live", *words, "prog.py", **extra)


def left(screen):
    """Reads to the end, and returns the exit code; the terminal is as it was."""
    screen.until(lambda: False)
    code = screen.ended()
    screen.close()
    assert not screen.alternate
    assert not screen.hides_cursor
    return code


def test_lag_and_worst_lines_are_shown_and_ctrl_c_ends_it_as_without(tmp_path):
    screen = live(tmp_path, SERVES)
    assert screen.shows("Event-loop lag", "prog.py:5 in handler", "blocking-call", "said on stdout"), screen.shown
    assert screen.until(lambda: re.search("[▅▆▇]", screen.shown)), screen.shown
    assert screen.alternate
    screen.type(b"\x03")
    assert left(screen) == 130
    shown = screen.said.rpartition(b"\x1b[?1049l")[2].decode()
    assert shown.count("said on stdout") == shown.count("said on stderr") == 1
    assert "KeyboardInterrupt" in shown
    assert re.search(r"loopstall: \d+ stalls?, ", shown)


def test_what_blocks_is_shown_while_it_does(tmp_path):
    screen = live(tmp_path, HANGS)
    assert screen.shows("Blocked now", "prog.py:6 in main", "time.sleep(0.05)"), screen.shown
    assert "blocked for" in screen.shown
    (tmp_path / "go on").touch()
    assert screen.shows("Blocked now\n  nothing\n\nWorst so far", "prog.py:6 in main"), screen.shown
    assert {screen.shown.count(title) for title in ("Blocked now", "Worst so far")} == {1}  # nothing shines through
    screen.type(b"\x03")
    assert left(screen) == 130


@pytest.mark.parametrize(("how", "code"), [("SIGTERM", 143), ("SIGKILL", 137)])
def test_terminal_is_given_back_when_the_program_is_ended(tmp_path, how, code):
    screen = live(tmp_path, SERVES)
    assert screen.shows("prog.py:5 in handler"), screen.shown
    (program,) = (one for one in psutil.Process(screen.pid).children() if "prog.py" in one.cmdline())
    if how == "SIGTERM":
        os.kill(screen.pid, signal.SIGTERM)  # which the command passes on
    else:
        program.send_signal(signal.SIGKILL)
    assert left(screen) == code


def test_program_that_crashes_gives_the_terminal_back_with_its_traceback(tmp_path):
    code = SERVES.replace("while True:", "for _ in range(3):") + "\nraise ValueError('its own')\n"
    screen = live(tmp_path, code)
    assert left(screen) == 1
    assert b"ValueError: its own" in screen.said.rpartition(b"\x1b[?1049l")[2]


def test_program_that_is_killed_leaves_the_terminal_as_it_was_and_its_output_there(tmp_path):
    screen = live(tmp_path, SWITCHES, under="stty -g > before; {}; echo ended $?; stty -g > after")
    assert screen.shows("Event-loop lag", "Output of the program\n  in a colour"), screen.shown
    assert screen.shows("ended 137"), screen.shown
    screen.until(lambda: False)
    assert left(screen) == 0
    assert "in a colour" in screen.shown
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


def test_of_too_much_output_the_end_is_printed_and_the_rest_said(tmp_path):
    (tmp_path / "prog.py").write_text(FLOODS)
    screen = Terminal(tmp_path, *WATCH, "--live", "prog.py")
    screen.until(lambda: False)
    assert screen.ended() == 3
    screen.close()
    said = screen.said.rpartition(b"\x1b[?1049l")[2].replace(b"\r", b"").splitlines()
    assert said.count(b"x" * 9999) >= 50
    assert said[said.index(b"its last words") + 1].startswith(b"loopstall: the first ")


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(tmp_path):
    screen = live(tmp_path, SERVES, under="set -m; {}; echo stopped $?; read word; fg; echo ended $?")
    assert screen.shows("prog.py:5 in handler"), screen.shown
    screen.type(b"\x1a")
    assert screen.shows("stopped 1"), screen.shown
    assert not screen.alternate
    assert not screen.hides_cursor
    screen.type(b"word\n")
    assert screen.shows("Event-loop lag", "prog.py:5 in handler"), screen.shown
    screen.type(b"\x03")
    assert screen.shows("ended 130"), screen.shown
    screen.ended()
    screen.close()
    assert not screen.alternate


def test_redirected_output_is_left_alone(tmp_path):
    screen = live(tmp_path, SERVES, under="{} > out.txt; echo ended $?")
    assert screen.shows("prog.py:5 in handler", "said on stderr"), screen.shown
    assert (tmp_path / "out.txt").read_text() == "said on stdout\n"
    screen.type(b"\x03")
    assert screen.shows("ended 130"), screen.shown
    screen.ended()
    screen.close()
    assert (tmp_path / "out.txt").read_text() == "said on stdout\n"


def test_stderr_that_is_no_terminal_is_said(tmp_path):
    (tmp_path / "prog.py").write_text("print('ran')\n")
    done = loopstall("watch", "--live", "prog.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--live needs a terminal on stderr" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def service(tmp_path):
    """A program that runs already."""
    (tmp_path / "prog.py").write_text(SERVES)
    with subprocess.Popen(
        [sys.executable, "prog.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout.readline() == "said on stdout\n"
        yield process
        process.kill()


INJECT = pytest.param("--inject", marks=pytest.mark.skipif(not hasattr(sys, "remote_exec"), reason="from 3.14 on"))


@pytest.mark.parametrize("more", ["", INJECT])
def test_process_that_runs_already_is_shown_and_the_terminal_given_back(tmp_path, service, more):
    words = [*WATCH, "--live", "--pid", str(service.pid), *more.split()]
    screen = Screen(tmp_path, *words, under="set -m; {}; echo stopped $?; read word; fg; echo ended $?")
    assert screen.shows("Event-loop lag", "prog.py:5 in handler", "blocking-call"), screen.shown
    screen.type(b"\x1a")
    assert screen.shows("stopped 1"), screen.shown
    assert not screen.alternate
    screen.type(b"word\n")
    assert screen.shows("Event-loop lag", "prog.py:5 in handler"), screen.shown
    screen.type(b"\x03")
    assert screen.shows("ended 0"), screen.shown
    assert not screen.hides_cursor
    assert service.poll() is None
    screen.ended()
    screen.close()


def served(command):
    """Returns the address that the command has printed."""
    line = command.stderr.readline()
    assert "live view at http://127.0.0.1:" in line, line
    return line.split()[-1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def test_service_is_shown_over_http_until_it_ends(tmp_path):
    (tmp_path / "prog.py").write_text(SERVES)
    with subprocess.Popen(
        [*WATCH, "--serve", "0", "prog.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        try:
            url = served(command)
            assert command.stdout.readline() == "said on stdout\n"
            assert until(lambda: get(f"{url}stalls.json")["count"] >= 2)
            assert until(lambda: max(filter(None, get(f"{url}live.json")["loops"][0]["lags_ns"])) >= 2e8)
            (loop,) = get(f"{url}live.json")["loops"]
            assert (loop["floor_ns"], loop["runs"]) == (1_000_000, True)
            command.send_signal(signal.SIGINT)
            _, told = command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode == 130
    assert "stall of" in told
    with pytest.raises(OSError, match="refused"):
        get(f"{url}live.json")


def test_lag_under_the_threshold_is_shown(tmp_path):
    (tmp_path / "prog.py").write_text(SERVES.replace("sleep(0.2)\n\nasync", "sleep(0.01)\n\nasync"))
    with subprocess.Popen(
        [*WATCH, "--serve", "0", "--threshold", "10s", "prog.py"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as command:  # fmt: skip
        url = served(command)
        assert until(lambda: any(loop["now_ns"] and loop["now_ns"] >= 1e7 for loop in get(f"{url}live.json")["loops"]))
        assert get(f"{url}stalls.json")["count"] == 0
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=60)


def test_process_that_runs_already_is_shown_over_http(tmp_path, service):
    with subprocess.Popen(
        [*WATCH, "--serve", "127.0.0.1:0", "--pid", str(service.pid)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as command:
        url = served(command)
        assert until(lambda: get(f"{url}stalls.json")["count"] >= 2)
        (loop,) = get(f"{url}live.json")["loops"]
        assert (loop["floor_ns"], loop["runs"]) == (20_000_000, None)
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=60)
    assert command.returncode == 0


def test_address_that_is_none_is_said_before_the_program_runs(tmp_path):
    (tmp_path / "prog.py").write_text("print('ran')\n")
    done = loopstall("watch", "--serve", "here", "prog.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "127.0.0.1:8765" in done.stderr


def test_address_that_stands_for_all_says_what_others_write(tmp_path):
    (tmp_path / "prog.py").write_text("print('ran')\n")
    done = loopstall("watch", "--serve", "0.0.0.0:0", "prog.py", cwd=tmp_path)  # as a user asks for it
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert re.search(
        r"live view at http://0\.0\.0\.0:\d+/\?token=\S+ \(elsewhere with this machine's name", done.stderr
    )
