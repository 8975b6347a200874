"""Wrong words on the command line: one sentence, exit code 2, nothing measured."""

import os
import re
import subprocess
import sys

from helpers import loopstall, write_workloads
import pytest

pytestmark = pytest.mark.once

BAD = [
    (("run", "hahsing"), "did you mean 'hashing'"),
    (("run", "-s", "uvlop"), "did you mean 'uvloop'"),
    (("run", "-s", "asyncio/process"), "did you mean 'processes'"),
    (("run", "hashing", "-p", "varant=x"), "did you mean 'variant'"),
    (("run", "hashing", "-p", "variant=x"), "has no variant 'x'"),
    (("run", "hashing", "-p", "variant"), "not NAME=VALUE"),
    (("run", "blocking_sleep", "-p", "seconds=-1"), "out of range"),
    (("run", "--jobs", "-1"), "-1"),
    (("run", "--jobs", "99999999999"), "99999999999"),
    (("run", "--rate", "0"), "rate"),
    (("run", "--rate", "nan"), "rate"),
    (("run", "--concurrency", "0"), "concurrency"),
    (("run", "--processes", "many"), "many"),
    (("run", "--budget", "50"), "not a duration"),
    (("run", "--budget", "-5ms"), "not a duration"),
    (("run", "--seconds", "1 parsec"), "not a duration; write for instance 20, 0.5s or 2m"),
    (("run", "--time-limit", "x"), "not a duration; write for instance 20, 0.5s or 2m"),
    (("serve-bench", "--seconds", "0"), "out of range; write for instance 20, 0.5s or 2m"),
    (("advise", "m:f", "--max-seconds", "-1"), "not a duration; write for instance 20, 0.5s or 2m"),
    (("gate", "--max-minutes", "soon"), "not a duration; write for instance 10, 90s or 1h"),
    (("gate", "--max-minutes", "0"), "out of range; write for instance 10, 90s or 1h"),
    (("watch", "--threshold", "5", "x.py"), "not a duration"),
    (("run", "--availability", "150%"), "out of range"),
    (("run", "--memory-limit", "much"), "not a size"),
    (("run", "--time-limit", "0s"), "out of range"),
    (("run", "--quick", "--rigorous"), "cannot be used together"),
    (("run", "--jobs", "1", "--seconds", "1s"), "cannot be used together"),
    (("run", "--processes", "1000", "-p", "bytes=" + ",".join(map(str, range(1, 99)))), "choose fewer"),
    (("run", "absent.py"), "no workload file"),
    (("run", "--resume"), "no partial result"),
    (("run", "--resume", "--jobs", "3"), "leave --jobs out"),
    (("run", "--resume", "hashing"), "leave a workload out"),
    (("run", "--resume", "-o", "absent"), "absent"),
    (("runn",), "did you mean 'run'"),
    (("run", "--bduget", "1ms"), "--budget"),
    (("compare", "absent", "absent"), "absent"),
    (("report", "absent"), "absent"),
    (("report", ".", "-o", "x.html"), "not a results folder"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[" ".join(words)[:40] for words, _ in BAD])
def test_wrong_usage_is_said_in_a_sentence(tmp_path, words, said):
    done = loopstall(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_broken_workload_file_is_named_with_its_line(tmp_path):
    write_workloads(tmp_path, "def broken(:\n")
    done = loopstall("run", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "mine.py: line 7" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path):
    done = loopstall("--debug", "run", "hahsing", cwd=tmp_path)
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr


def test_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    done = loopstall("run", "blocking_sleep", "-o", "file/below", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot write the results folder" in done.stderr


def test_result_is_not_overwritten(tmp_path):
    words = ("run", "blocking_sleep", "-s", "async", "--jobs", 2, "--processes", 1, "-o", "out")
    assert loopstall(*words, cwd=tmp_path).returncode == 0
    done = loopstall(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume" in done.stderr


DAMAGE = {
    "truncated": (b'{"format":"loopstall","ver', "not whole JSON"),
    "empty": (b"", "is empty"),
    "foreign": (b'{"cells": [], "machine": {}}', "not a file of loopstall's"),
    "newer": (b'{"format":"loopstall","version":99,"kind":"KIND","data":{}}', "upgrade loopstall"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("command", ["report", "compare", "resume"])
def test_unreadable_result_is_said_in_a_sentence(tmp_path, command, damage):
    content, said = DAMAGE[damage]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.json").write_bytes(content.replace(b"KIND", b"plan"))
    (tmp_path / "run.json").write_bytes(content.replace(b"KIND", b"run"))
    words = {
        "report": ("report", "run.json", "-o", "page.html"),
        "compare": ("compare", "run.json", "out"),
        "resume": ("run", "--resume", "-o", "out"),
    }[command]
    done = loopstall(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("command", ["run", "gate", "compare", "report", "advise", "history"])
def test_dependency_that_this_python_cannot_have_is_named_in_one_sentence(tmp_path, command):
    (tmp_path / "msgspec.py").write_text("raise ModuleNotFoundError('no', name='msgspec')\n")
    done = loopstall(command, "x", cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.startswith(f"loopstall: `loopstall {command}` needs msgspec, which this Python does not have:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("output", ["out.html", "out.json", "out.junit", "out.speedscope.json"])
def test_watch_needs_no_dependency_that_a_python_may_lack(tmp_path, output):
    (tmp_path / "msgspec.py").write_text("raise ModuleNotFoundError('no', name='msgspec')\n")
    (tmp_path / "app.py").write_text("import asyncio, time\nasync def main(): time.sleep(0.1)\nasyncio.run(main())\n")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = loopstall("watch", "-o", output, "app.py", cwd=tmp_path, env=env)
    assert (done.returncode, (tmp_path / output).is_file()) == (0, True), done.stderr
    assert "app.py:2 in main" in done.stderr


def test_histogram_that_cannot_be_read_is_said_in_a_sentence(tmp_path):
    write_workloads(tmp_path, "@workload\ndef echo(seed): return seed\necho.verify(ok)\n")
    words = ("mine.py", "-s", "inline", "--jobs", "2", "--processes", "1", "-o", "out")
    assert loopstall("run", *words, cwd=tmp_path).returncode == 0
    (file,) = (tmp_path / "out" / "runs").iterdir()
    file.write_text(re.sub(r'"encoded": ?"[^"]{20}', '"encoded":"', file.read_text()))
    done = loopstall("report", "out", "-o", "page.html", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "a histogram of a run cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def nowhere(folder, *words):
    """Runs the command in a working directory that has been removed."""
    gone = folder / "gone"
    gone.mkdir()
    code = f"import os, sys; os.rmdir({str(gone)!r}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return subprocess.run(
        [sys.executable, "-c", code, "-P", "-m", "loopstall", *map(str, words)],
        cwd=gone, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder that somebody is in")
@pytest.mark.parametrize("words", [("list",), ("run", "hashing"), ("report", "x"), ("gate",), ("advise", "m:f")])
def test_working_directory_that_is_gone_is_said_in_a_sentence(tmp_path, words):
    done = nowhere(tmp_path, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr == "loopstall: the working directory has been removed; change to one that is there\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder that somebody is in")
def test_stalls_are_told_where_the_working_directory_is_gone(tmp_path):
    program = tmp_path / "prog.py"
    program.write_text("import asyncio, time\nasync def main():\n    time.sleep(1)\nasyncio.run(main())\n")
    for form in ("out.html", "out.json", "out.junit", "out.speedscope.json"):
        done = nowhere(tmp_path, "watch", "-o", tmp_path / form, program)
        assert done.returncode == 0, done.stderr
        assert "prog.py:3 in main" in done.stderr
        assert "prog.py" in (tmp_path / form).read_text(encoding="utf-8")
