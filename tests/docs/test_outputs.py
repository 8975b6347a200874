"""The outputs that the documents show, made anew: the same lines, but for figures."""

import asyncio
from collections.abc import Iterator
import contextlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

from documents import ROOT, blocks, commands, shape
import pytest
from workshop import environment, shell

pytestmark = [pytest.mark.once, pytest.mark.alone]


def output(document, begins):
    """Returns the block without a language, or the lines below a command, whose first line has this text."""
    found = [block.text for block in blocks() if block.document == document and not block.language]
    found += [item.output for item in commands() if item.block.document == document]
    (text,) = [text for text in found if begins in text.partition("\n")[0]]
    return text


def lines_of(shown):
    """Returns the lines of a document's output; a line ``...`` stands for what is left out."""
    return [line for line in shape(shown) if line != "..."]


def test_every_output_of_the_documents_is_made_anew_here():
    plain = [block for block in blocks() if not block.language and not block.illustration]
    below = [item for item in commands() if item.output.strip()]
    shown = {block.document for block in plain} | {item.block.document for item in below}
    assert shown == {"README.md", "docs/pytest.md", "docs/tutorial.md", "docs/watch.md"}
    assert (len(plain), len(below)) == (2, 4)  # the tutorial's in test_tutorial.py


def test_table_of_the_readme_is_what_run_prints(tmp_path):
    words = "loopstall run --quick blocking_sleep hashing --processes 1 --jobs 16 -o out"
    ways = " ".join(f"-s {name}" for name in ("asyncio", "async", "to_thread", "threads", "processes"))
    printed = shape(shell(f"{words} {ways}", tmp_path, COLUMNS="120").stdout)
    shown = lines_of(output("README.md", "asyncio"))
    assert shown[:2] == printed[:2]  # the loop, and the headings
    assert cells(shown) <= cells(printed)
    assert {"TRAP", "lag", "p99", "stall", "avail"} <= {word for line in shown for word in line.split()}


def cells(lines):
    """Returns the words of a table's rows without figures; which cell is a trap depends on the machine."""
    return {word for line in lines[2:] for word in line.split() if word not in {"▲", "TRAP"}}


def test_line_below_watch_is_what_it_prints():
    for name in ("fastapi", "uvicorn"):
        pytest.importorskip(name)
    done = shell("loopstall watch examples/fastapi_shop.py", ROOT)
    assert done.returncode == 0, done.stderr
    (shown,) = lines_of(output("README.md", " loopstall: stall of"))
    assert shown in shape(done.stderr)


@contextlib.contextmanager
def served(folder, port) -> Iterator[subprocess.Popen[str]]:
    """Serves the project's application as docs/watch.md does, until it is interrupted."""
    (words,) = [item.text for item in commands() if item.text.startswith("loopstall watch -o stalls.html -m uvicorn")]
    with subprocess.Popen(
        ["bash", "-c", f"exec {words} --port {port}"],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(),
    ) as server:  # fmt: skip
        try:
            yield server
        finally:
            server.send_signal(signal.SIGINT)


def asked(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def test_lines_below_watch_of_workers_are_what_it_prints(workshop):
    pytest.importorskip("uvicorn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    workers, deadline = set(), time.monotonic() + 60
    with served(workshop, port) as server:
        while len(workers) < 2:  # who accepts a connection is up to the kernel
            assert time.monotonic() < deadline
            with contextlib.suppress(OSError):
                workers |= set(asyncio.run(several(f"http://127.0.0.1:{port}/slow")))
            time.sleep(0.1)
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=60)
    printed = shape(said)
    for line in lines_of(output("docs/watch.md", " loopstall [SpawnProcess-1")):
        assert line in printed, said
    assert "app.py" in (workshop / "stalls.html").read_text()


async def several(url):
    return await asyncio.gather(*(asyncio.to_thread(asked, url) for _ in range(4)))


LOGIN = """
import asyncio
import time


async def login():
    time.sleep(0.08)


def check_password():
    time.sleep(0.12)
"""

TESTS = """
import asyncio

from app.login import check_password, login


def test_login():
    asyncio.run(login())
"""

MORE = """

async def checked():
    check_password()


def test_password():
    asyncio.run(checked())
"""


@pytest.fixture
def suite(tmp_path):
    """A project with a test that blocks its loop."""
    for path, text in (
        ("app/__init__.py", ""),
        ("app/login.py", LOGIN.lstrip()),
        ("tests/test_login.py", TESTS.lstrip()),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return tmp_path


PLUGINS = "-p no:cacheprovider -p no:xdist -p no:randomly"


def test_failure_below_pytest_is_what_the_plugin_prints(suite):
    (words,) = {item.text for item in commands() if item.text == "pytest --stall-budget 50ms"}
    done = shell(f"{words} {PLUGINS}", suite)
    assert done.returncode == 1, done.stdout + done.stderr
    printed = shape(done.stdout)
    for line in lines_of(output("docs/pytest.md", "an event loop was blocked")):
        assert line in printed, done.stdout


def test_lines_below_the_baseline_are_what_the_plugin_prints_and_writes(suite):
    with (suite / "tests/test_login.py").open("a") as file:
        file.write(MORE)
    (words,) = {item.text for item in commands() if item.text.endswith("--stall-baseline write")}
    done = shell(f"{words} {PLUGINS}", suite)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = " ".join(lines_of(output("docs/pytest.md", "...")))
    assert shown in " ".join(shape(done.stdout)), done.stdout
    (entry,) = [block.text for block in blocks() if block.document == "docs/pytest.md" and block.language == "toml"]
    written = (suite / "loopstall-accepted.toml").read_text()
    assert [line for line in map(bare, entry.splitlines()) if line not in set(map(bare, written.splitlines()))] == []
    assert shell(f"pytest --stall-budget 50ms {PLUGINS}", suite).returncode == 0


def bare(line):
    """Takes the figures out of an entry."""
    return re.sub(r"\d{4}-\d\d-\d\d|\d+\.\d+", "<n>", line)
