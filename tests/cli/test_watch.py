"""Programs under ``loopstall watch``, as users run them."""

import json
import os
import re
import signal
import subprocess
import sys

from helpers import import_or_skip, loopstall
import pytest

from loopstall.records import Evidence, Stall, StallEvent, to_plain

pytestmark = pytest.mark.alone

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


@pytest.mark.skipif(sys.platform != "linux", reason="the helper needs Linux")
def test_cpu_time_of_the_helper_is_printed_at_the_end(program, tmp_path):
    done = loopstall("watch", "-o", "stalls.json", "prog.py", cwd=tmp_path)
    told = re.search(r"^loopstall: (The helper process took [\d.]+ m?s of CPU time, .*)$", done.stderr, re.MULTILINE)
    assert told is not None, done.stderr
    assert told[1] in json.loads((tmp_path / "stalls.json").read_text())["about"]


@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody sees what the loop does while it waits")
def test_handler_of_signals_that_blocks_while_the_loop_waits_is_the_programs_stall(tmp_path):
    (tmp_path / "prog.py").write_text("""
import asyncio, signal, time

def on_alarm(*_):
    time.sleep(0.3)

async def main():
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    await asyncio.sleep(0.1)

asyncio.run(main())
""")
    done = loopstall("watch", "--fail-over", "100ms", "prog.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert re.search(r"stall of .* blocking-call: prog\.py:5 in on_alarm", done.stderr), done.stderr


@pytest.mark.parametrize(("limit", "status"), [("100ms", 1), ("60s", 0)])
def test_fail_over_fails_a_program_that_stalls_for_longer(program, tmp_path, limit, status):
    assert loopstall("watch", "--fail-over", limit, "prog.py", cwd=tmp_path).returncode == status


@pytest.mark.once
@pytest.mark.parametrize(
    ("source", "status"),
    [("pass", 5), ("raise SystemExit(3)", 3), ("import asyncio; asyncio.run(asyncio.sleep(0))", 0)],
)
def test_fail_over_does_not_pass_a_program_in_which_no_loop_ran(tmp_path, source, status):
    (tmp_path / "prog.py").write_text(source)
    done = loopstall("watch", "--fail-over", "100ms", "prog.py", cwd=tmp_path)
    assert done.returncode == status
    assert ("no event loop ran that could be watched" in done.stderr) == (status != 0)


@pytest.mark.once
def test_fail_over_does_not_pass_a_program_that_is_not_watched(tmp_path):
    (tmp_path / "prog.py").write_text("import os, sys\nos.execv(sys.executable, [sys.executable, '-I', '-c', 'pass'])")
    command = ("watch", "--fail-over", "100ms", "-m", "prog")
    assert loopstall(*command, cwd=tmp_path).returncode == 5
    assert loopstall("watch", "-m", "prog", cwd=tmp_path).returncode == 0


@pytest.mark.once
@pytest.mark.parametrize(("limit", "status"), [("59ms", 1), ("60ms", 0)])
def test_wait_for_a_cpu_breaks_no_budget_and_is_told(tmp_path, limit, status):
    evidence = Evidence(
        duration_ns=100_000_000, threshold_ns=20_000_000, window_ns=100_000_000, own_cpu_ns=60_000_000,
        other_cpu_ns=0, run_delay_ns=40_000_000,
    )  # fmt: skip
    stall = Stall(start_ns=0, duration_ns=100_000_000, cause="cpu-python", evidence=evidence)
    (tmp_path / "line").write_text(json.dumps(to_plain(StallEvent(stall=stall, length_ns=100_000_000, at=0.0))) + "\n")
    (tmp_path / "prog.py").write_text("""
import asyncio, os, shutil
asyncio.run(asyncio.sleep(0))
shutil.copy("line", os.path.join(os.environ["LOOPSTALL_WATCH"].split(" ", 2)[2], "handed-over.jsonl"))
""")
    done = loopstall("watch", "--fail-over", limit, "prog.py", cwd=tmp_path)
    assert "stall of 100 ms (40.0 ms of it without a CPU), cpu-python" in done.stderr
    assert done.returncode == status


@pytest.mark.once
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


@pytest.mark.parametrize(
    "words",
    [("-m", "nothere"), ("-m", "nothere.sub"), ("-m", "pack"), ("-m", "pack.nothere"), ("-m", "space"),
     ("-m", ".pack"), ("-m", "alone.sub"), ("pack",)],
    ids=" ".join,
)  # fmt: skip
def test_what_has_nothing_to_run_is_told_in_a_sentence(tmp_path, words):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "space").mkdir()
    (tmp_path / "alone.py").write_text("")
    done = loopstall("watch", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    (said,) = done.stderr.splitlines()
    assert f"cannot run {' '.join(words)}: " in said
    assert said.endswith("; name a script, or a module with -m")


OWN = {
    "mod": "import nothere_either",
    "bare": "raise ImportError('its own')",
    "named": "raise ImportError('its own', name='named')",
    "second": "import runpy; runpy.run_module('nothere')",
    "opens": "open('nothere')",
}


@pytest.mark.parametrize("name", [*OWN, "pack", "pack.sub"])
def test_import_that_fails_in_the_module_is_its_own_error(tmp_path, name):
    for module, code in OWN.items():
        (tmp_path / f"{module}.py").write_text(f"{code}\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("import nothere_either\n")
    done = loopstall("watch", "-m", name, cwd=tmp_path)
    plain = subprocess.run([sys.executable, "-m", name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == plain.returncode == 1, done.stderr
    assert "Traceback" in done.stderr
    assert plain.stderr.splitlines()[-1] in done.stderr
    assert "loopstall/" not in done.stderr


def test_error_of_the_program_is_its_own(tmp_path):
    (tmp_path / "bad.py").write_text("def f():\n    raise ValueError('its own')\nf()\n")
    done = loopstall("watch", "bad.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "ValueError: its own" in done.stderr
    assert "loopstall/cli" not in done.stderr
    assert "0 stalls" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the program to run"),
        (("--treshold", "5ms", "x.py"), "no such option --treshold"),
        (("no.py",), "does not exist"),
        (("-m", "nothere"), "nothere"),
    ],
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


@pytest.mark.parametrize("loop", ["trio", "curio"])
def test_loop_of_another_kind_that_is_imported_later_is_watched(tmp_path, loop):
    import_or_skip(loop)
    (tmp_path / "prog.py").write_text(
        f"import time\ndef start():\n    import {loop}\n    async def main():\n        time.sleep(0.2)\n    {loop}.run(main)\n"
        "start()\n"
    )
    done = loopstall("watch", "prog.py", cwd=tmp_path)
    assert "prog.py:5 in start.<locals>.main" in done.stderr


def ending(folder, end):
    """Writes a program that stalls once and then ends in some way."""
    (folder / "prog.py").write_text(
        f"import ctypes, os, signal, sys\n{PROGRAM.partition('if __name__')[0]}\nasyncio.run(main())\n{end}\n"
    )


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('its own')", 1),
        ("os._exit(4)", 4),
        ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(6)'])", 6),
        ("os.kill(os.getpid(), signal.SIGINT)", 130),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("os.kill(os.getpid(), signal.SIGHUP)", 129),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("ctypes.string_at(0)", 139),
    ],
)
def test_report_summary_and_lines_are_written_however_the_program_ends(tmp_path, end, status):
    ending(tmp_path, end)
    done = loopstall("watch", "-o", "out.html", "--json-lines", "s.jsonl", "prog.py", cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert "1 stall: prog.py:6 in handler" in done.stderr
    assert "prog.py:6 in handler" in (tmp_path / "out.html").read_text()
    (line,) = (tmp_path / "s.jsonl").read_text().splitlines()
    assert json.loads(line)["stall"]["culprit"]["function"] == "handler"


@pytest.mark.parametrize("end", ["os._exit(0)", "os.execv(sys.executable, [sys.executable, '-c', 'pass'])"])
def test_budget_is_kept_by_a_program_that_is_gone_at_once(tmp_path, end):
    ending(tmp_path, end)
    done = loopstall("watch", "--fail-over", "100ms", "-o", "out.json", "prog.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["count"], document["over"]) == (1, 1)


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "out.doc"), "names no form of report"),
        (("-o", "no/out.html"), "cannot write"),
        (("--json-lines", "no/x"), "cannot write"),
    ],
)
def test_report_that_cannot_be_written_is_refused_before_the_program_runs(program, tmp_path, words, said):
    done = loopstall("watch", *words, "prog.py", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "got" not in done.stdout


@pytest.mark.once
def test_on_a_terminal_it_is_told_in_colours(program, tmp_path):
    import pty

    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "loopstall", "watch", "prog.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=writer, stderr=writer, env={**os.environ, "TERM": "xterm"}
    ) as running:
        os.close(writer)
        said = b""
        while True:
            try:
                piece = os.read(reader, 4096)
            except OSError:  # the program has closed its end
                break
            if not piece:
                break
            said += piece
    os.close(reader)
    assert running.returncode == 0
    assert b"\x1b[" in said
    assert b"time.sleep(0.2)" in said
    assert "what to do:" in said.decode()


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full disk to write to")  # noqa: PTH110
def test_full_disk_loses_the_lines_of_the_file_and_nothing_else(program, tmp_path):
    done = loopstall("watch", "--json-lines", "/dev/full", "prog.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loopstall: stall of" in done.stderr
    assert "1 stall: prog.py:5 in handler" in done.stderr
