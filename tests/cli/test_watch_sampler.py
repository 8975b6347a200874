"""Who looks at the loops of a watched program: as asked for, and said where it is another one."""

import sys

from helpers import loopstall
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")]

PROGRAM = """
import asyncio, os, signal, time

async def main():
    await asyncio.sleep(0.05)
    time.sleep(0.06)
    await asyncio.sleep(0)
    if "KILL" in os.environ:
        os.kill(int(os.environ["LOOPSTALL_HELPER"].partition(" ")[0]), signal.SIGKILL)
    await asyncio.sleep(0.1)
    for _ in range(4):
        time.sleep(0.06)
        await asyncio.sleep(0.01)
    print(os.environ.get("LOOPSTALL_SAMPLER", "auto"))

asyncio.run(main())
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "prog.py").write_text(PROGRAM)
    return tmp_path


def test_killed_helper_is_replaced_and_that_is_said(program, monkeypatch):
    monkeypatch.setenv("KILL", "1")
    done = loopstall("watch", "-o", "s.html", "prog.py", cwd=program)
    assert done.returncode == 0
    assert done.stdout == "auto\n"
    (told,) = [line for line in done.stderr.splitlines() if "looked at from inside its process" in line]
    assert told.startswith("loopstall: prog.py ")
    assert "looked at from inside its process" in (program / "s.html").read_text()
    assert done.stderr.count("prog.py:6 in main") + done.stderr.count("prog.py:12 in main") >= 3


def test_sampler_is_chosen_by_an_option(program):
    done = loopstall("watch", "--sampler", "inside", "prog.py", cwd=program)
    assert (done.returncode, done.stdout) == (0, "inside\n")
    assert "prog.py:12 in main" in done.stderr
    assert "looked at from inside" not in done.stderr  # it was asked for


def test_name_of_none_is_said_and_harms_nobody(program, monkeypatch):
    monkeypatch.setenv("LOOPSTALL_SAMPLER", "elsewhere")
    done = loopstall("watch", "prog.py", cwd=program)
    assert (done.returncode, done.stdout) == (0, "elsewhere\n")
    assert "LOOPSTALL_SAMPLER is none of auto, outside, inside, but 'elsewhere': taken for auto" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sampler", "elsewhere", "prog.py"], "'elsewhere' is not one of 'auto', 'outside', 'inside'"),
        (["--pid", "1", "--sampler", "inside"], "--sampler is for a program that is run"),
    ],
)
def test_wrong_sampler_is_refused(program, words, said):
    done = loopstall("watch", *words, cwd=program)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
