"""Text from outside in what every command prints."""

import os
from xml.etree import ElementTree as ET

from helpers import loopstall, write_workloads
from nasty import NASTY, annotations_alone, harmless, read_back, unseen
from own_tests import run
import pytest

from loopstall.report.formats import FORMATS
from loopstall.results import store

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """A measured result whose parameter, file name, task and exception say what they should not."""
    folder = tmp_path_factory.mktemp("nasty")
    body = f"""
NASTY = {NASTY!r}

@workload(params={{"text": [NASTY]}})
def loud(seed, *, text):
    time.sleep(0.06)
    return seed
loud.verify(ok)

@workload(params={{"text": [NASTY]}})
def raises(seed, *, text):
    raise ValueError(text)
raises.verify(ok)
"""
    write_workloads(folder, body, "mine\n::error::x.py")
    words = ("-s", "asyncio", "-s", "async", "--jobs", 2, "--concurrency", 1, "--processes", 1, "-o", "out")
    done = loopstall("run", "mine\n::error::x.py", *words, cwd=folder)
    assert done.returncode == 3, done.stderr  # one of them raises
    harmless(done.stdout)
    harmless(done.stderr)
    assert "loud" in done.stdout
    return folder


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", ["30", "150"])
def test_command_line_prints_a_nasty_result_harmlessly(nasty, form, columns):
    if form == "pyperf":
        pytest.importorskip("pyperf", reason="pyperf is an extra")
    done = loopstall("report", "out", "--format", form, "-o", "-", cwd=nasty, env={**os.environ, "COLUMNS": columns})
    assert done.returncode == 0, done.stderr
    harmless(done.stderr)
    if form == "github":
        annotations_alone(done.stdout, 2)
    elif form == "html":
        assert unseen(done.stdout) == set()
        assert "</script><" not in done.stdout.partition('id="data">')[2].partition("</script>")[0]
    else:
        harmless(done.stdout)
    read_back(form, done.stdout)


def test_every_other_command_prints_a_nasty_result_harmlessly(nasty):
    for words, status in (
        (("list", "mine\n::error::x.py"), 0),
        (("compare", "out", "out"), 3),
        (("gate", "--against", "out", "--candidate-results", "out"), 3),
        (("gate", "--against", "out", "--candidate-results", "out", "--format", "markdown"), 3),
        (("history", "add", "out", "--commit", NASTY.replace("\0", ""), "--file", "h\n::error::.sqlite"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite", "--format", "csv"), 0),
        (("history", "show", "--file", "h\n::error::.sqlite", "--format", "otava", "-o", "otava"), 0),
        (("report", "out", "--history", "h\n::error::.sqlite", "--format", "terminal"), 0),
        (("report", "none\n::error::x"), 2),
        (("run", "nothing\n::error::x"), 2),
        (("run", "hashing", "-p", "a\n::error::b"), 2),
        (("run", "--rate", "a\n::error::b"), 2),
        (("nothing\n::error::x",), 2),
        (("watch", "nothing\n::error::x.py"), 2),
        (("advise", "nothing\n::error::x"), 2),
        (("accept", "out", "--reason", "x"), 2),
        (("serve-bench", "nothing\n::error::x"), 2),
    ):
        done = loopstall(*words, cwd=nasty)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        assert "unexpected" not in done.stderr
        harmless(done.stdout)
        harmless(done.stderr)


def test_watch_tells_a_nasty_task_harmlessly(tmp_path):
    name = "mine\n::error::x.py"
    (tmp_path / name).write_text(
        "import asyncio, time\n"
        "async def block():\n"
        "    time.sleep(0.1)\n"
        "async def main():\n"
        f"    await asyncio.create_task(block(), name={NASTY!r})\n"
        "asyncio.run(main())\n"
    )
    for more in ((), ("--stacks",)):
        done = loopstall("watch", *more, "-o", "out.junit", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "1 stall" in done.stderr
        harmless(done.stderr)
        ET.fromstring(harmless((tmp_path / "out.junit").read_text()))  # noqa: S314  # our own


def test_pytest_plugin_tells_a_nasty_task_harmlessly(tmp_path):
    tests = (
        "async def block():\n"
        "    time.sleep(0.1)\n"
        "async def main():\n"
        f"    await asyncio.create_task(block(), name={NASTY!r})\n"
        "def test_it():\n"
        "    asyncio.run(main())\n"
    )
    done = run(tmp_path, tests, "--stall-budget", "20ms", "--stall-report", "s.json")
    assert done.returncode == 1, done.stdout
    assert "culprit" in done.stdout
    harmless(done.stdout)
    harmless((tmp_path / "s.json").read_text())


def test_what_was_measured_of_nasty_text_is_read_back(nasty):
    found = store.load([nasty / "out"])
    assert {dict(one.cell.params)["text"] for one in found.runs} == {NASTY}
