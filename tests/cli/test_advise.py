"""``loopstall advise`` as a user runs it."""

import json
import os
import re
import subprocess
import sys

from helpers import loopstall, marked
import pytest

pytestmark = pytest.mark.once

FUNCTIONS = """
import os, time, zlib
BUFFER = os.urandom(1 << 20)
def waits(seconds=0.03): time.sleep(seconds)
def boom(): raise ValueError("no such luck")
def ends(): os._exit(4)
def hangs(): time.sleep(600)
def slow(): time.sleep(1.1)
def compress(): return len(zlib.compress(BUFFER, 6))
def work(n):
    total = 0
    for number in range(n): total += number * number
"""
PROGRAM = """
import asyncio
from fns import work
async def main():
    for _ in range(3):
        {call}
        await asyncio.sleep(0)
asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fns.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def hogs():
    """A program on each CPU that computes."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield
    for process in started:
        process.kill()
        process.wait()


def too_noisy(done):
    return done.returncode == 5 and "too noisy to say: other programs took" in done.stdout


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["fns:waits", "--args", "[0.02]", "--rate", "10"], "to_thread"),
        (["fns:compress", "--rate", "8"], "to_thread"),
        (["fns:work", "--args", "[200000]", "--rate", "20"], "processes"),
    ],
)
@pytest.mark.usefixtures("hogs")
def test_busy_machine_ends_in_the_right_advice_or_in_none(folder, words, right):
    done = loopstall("advise", *words, cwd=folder)
    if not too_noisy(done):
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(f"Recommended: {right}, ")
    else:
        assert "stop the other programs on this machine" in done.stdout
        computes = int(re.search(r"computes (\d+)% of it", done.stdout)[1])
        assert (computes < 20) is ("fns:waits" in words)
        keeps = re.search(r"keeps the GIL (\d+)% of it", done.stdout)  # not told where that window was noisy as well
        assert keeps is None or (int(keeps[1]) > 50) is ("fns:work" in words)
    assert not marked(folder)


def test_limit_and_plan_are_told_at_the_start_and_a_limit_that_cannot_do_says_which_would(folder):
    done = loopstall("advise", "fns:slow", "--max-seconds", "10", cwd=folder, timeout=30)
    assert done.returncode == 5, done.stderr
    told = done.stderr.splitlines()
    assert told[0] == "stops measuring after 10.0 s"
    assert told[1] == "fns:slow by itself ..."
    assert told[2].startswith("takes 1.1")
    assert too_noisy(done) or re.search(r"run it again with --max-seconds \d+", done.stdout)
    assert not marked(folder)


def test_function_that_does_not_end_within_the_limit_is_given_up(folder):
    done = loopstall("advise", "fns:hangs", "--max-seconds", "2s", cwd=folder, timeout=30)
    assert done.returncode == 5, done.stderr
    assert "takes longer than the 2 s of --max-seconds" in done.stderr
    assert not marked(folder)


@pytest.mark.alone
def test_function_that_waits_goes_to_a_thread_and_its_decision_can_be_written_down(folder):
    for _ in range(3):
        done = loopstall("advise", "fns:waits", "--args", "[0.04]", "--rate", "8", "-o", "a.json", cwd=folder)
        if not too_noisy(done):
            break
    else:
        pytest.skip("the machine was too busy with something else three times")
    assert done.returncode == 0, done.stderr
    assert "in turns" in done.stderr
    assert re.search(r"^\d+ runs to measure$", done.stderr, re.MULTILINE)
    assert re.search(r"^1 of \d+ runs, \d+ s left$", done.stderr, re.MULTILINE)
    assert done.stdout.startswith("Recommended: to_thread, for fns:waits. ")
    assert "asyncio.to_thread(waits" in done.stdout
    assert "Break-even" in done.stdout
    found = json.loads((folder / "a.json").read_text())
    assert found["choice"] == "to_thread"
    assert {way["strategy"] for way in found["ways"]} == {"asyncio/inline", "asyncio/to_thread", "asyncio/processes"}
    assert not marked(folder)
    refused = loopstall("accept", "a.json", "--reason", " ", cwd=folder)
    assert refused.returncode == 2
    accepted = loopstall("accept", "a.json", "--reason", "once a night", "--who", "me", cwd=folder)
    assert accepted.returncode == 0, accepted.stderr
    text = (folder / "loopstall-accepted.toml").read_text()
    assert 'where = "fns.py in waits"' in text
    assert 'reason = "once a night"' in text


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["fns:boom"], 3, "ValueError: no such luck"),
        (["fns:ends"], 3, "ended with status 4"),
        (["fns:hangs", "--time-limit", "1s"], 3, "time limit"),
        (["fns:nothing"], 2, "no function 'nothing'"),
        (["fns:waits", "--args", "{"], 2, "not JSON"),
        (["fns:waits", "--args", "[1]", "--args-from", "fns:boom"], 2, "cannot be used together"),
        (["fns:waits", "-p", "x=1"], 2, "--args"),
        (["blocking_slep"], 2, "did you mean 'blocking_sleep'"),
        (["hashing"], 2, "has 4 combinations of parameters"),
        ([], 2, "name a TARGET"),
        (["--from", "missing.json"], 2, "cannot read missing.json"),
        (["--from", "fns.py"], 2, "no report of stalls"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_no_process(folder, words, status, part):
    done = loopstall("advise", *words, cwd=folder)
    assert done.returncode == status
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not marked(folder)


def test_nothing_is_recommended_from_too_little(folder):
    done = loopstall("advise", "fns:waits", "--args", "[0.02]", "--max-seconds", "3", cwd=folder)
    assert done.returncode == 5
    assert "No recommendation" in done.stdout
    assert too_noisy(done) or "--max-seconds" in done.stdout


def test_culprit_of_a_report_is_measured_or_asks_for_its_arguments(folder):
    (folder / "prog.py").write_text(PROGRAM.format(call="work(900_000)"))
    watched = loopstall("watch", "--threshold", "5ms", "-o", "stalls.json", "prog.py", cwd=folder)
    assert watched.returncode == 0, watched.stderr
    asks = loopstall("advise", "--from", "stalls.json", cwd=folder)
    assert asks.returncode == 5, asks.stderr
    assert "in work: " in asks.stdout
    assert "loopstall advise work --from stalls.json --args" in asks.stdout
    unknown = loopstall("advise", "nobody", "--from", "stalls.json", cwd=folder)
    assert unknown.returncode == 2
    assert "it has: fns.py" in unknown.stderr
    short = loopstall("advise", "work", "--from", "stalls.json", "--args", "[900]", "--max-seconds", "8s", cwd=folder)
    assert short.returncode == 5, short.stderr
    assert "fns.py:work: takes" in short.stdout
