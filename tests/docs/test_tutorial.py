"""The tutorial, followed from its first step to its last, as a reader does."""

import re
import shutil
import subprocess

from documents import ROOT, blocks, commands, shape
import pytest
from workshop import shell

pytestmark = [pytest.mark.once, pytest.mark.alone]

PAGE = "docs/tutorial.md"
PLUGINS = "-p no:cacheprovider -p no:xdist -p no:randomly"
STEPS = {
    "python -m pip install 'loopstall[web]' httpx pytest": None,  # they are installed
    "loopstall watch fastapi_shop.py": (0, "in hash_password"),
    "loopstall watch -o stalls.html fastapi_shop.py": (0, ""),
    "loopstall watch --fail-over 150ms fastapi_shop.py": (0, ""),
    "python -m pytest --stall-budget 150ms test_shop.py": (0, "1 passed"),
    'git init --quiet --initial-branch main && git add . && git commit --quiet -m "Log in on a thread"': (0, ""),
    "git checkout --quiet -b slower": (0, ""),
    "loopstall gate --quick -s to_thread": (0, "measured in turns"),
}
"""What each command ends with, and what it prints."""
SHORTER = {"loopstall gate": " --max-minutes 0.05 --inconclusive pass", "python -m pytest": f" {PLUGINS}"}
"""Words after a command: cli/test_gate.py measures until the gate is certain."""
FILES = {"def test_login": "test_shop.py", "@workload": "workloads/login.py"}
AUTHOR = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def steps():
    """Returns the commands, changes and files of the page, in their order, as (kind, text)."""
    found = []
    for block in blocks():
        if block.document != PAGE:
            continue
        if block.language == "console":
            found += [("command", item) for item in commands() if item.block == block]
        else:
            found.append((block.language, block.text))
    return found


def test_every_command_of_the_tutorial_is_run():
    assert [item.text for kind, item in steps() if kind == "command"] == list(STEPS)


def run(item, folder):
    """Runs a command and looks at what it ends with and prints."""
    if STEPS[item.text] is None:
        return
    code, shows = STEPS[item.text]
    more = "".join(words for begins, words in SHORTER.items() if item.text.startswith(begins))
    done = shell(item.text + more, folder, **AUTHOR)
    said = done.stdout + done.stderr
    assert done.returncode == code or (more and done.returncode == 1 and "regressed" in said), said
    assert shows in said
    for line in shape(item.output):
        assert line in shape(said), said


@pytest.mark.slow
def test_tutorial_can_be_followed(tmp_path):
    for name in ("fastapi", "uvicorn", "httpx"):
        pytest.importorskip(name)
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("__pycache__/\nreports/\n.cache/\n")
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    before = ""
    for kind, what in steps():
        if kind == "command":
            if before == "fixed":
                assert "in hash_password" not in shell(what.text, folder).stderr  # a busy machine may stall its caller
            run(what, folder)
        elif kind == "diff":
            done = subprocess.run(["git", "apply"], input=what, cwd=folder, text=True, check=False,
                                  capture_output=True)  # fmt: skip
            assert done.returncode == 0, done.stderr
        else:
            (name,) = (name for sign, name in FILES.items() if sign in what)
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(what)
            assert "hash_password" in (folder / "stalls.html").read_text()
        before = "fixed" if kind == "diff" and "to_thread" in what else ""


def test_first_version_fails_the_test_of_the_tutorial_with_its_line(tmp_path):
    for name in ("fastapi", "httpx"):
        pytest.importorskip(name)
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (text,) = (what for kind, what in steps() if kind == "python" and "def test_login" in what)
    (tmp_path / "examples" / "test_shop.py").write_text(text)
    (tmp_path / "examples" / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    done = shell(f"python -m pytest {PLUGINS} --stall-budget 150ms test_shop.py", tmp_path / "examples")
    assert done.returncode == 1, done.stdout
    assert re.search(r"fastapi_shop\.py:\d+ in hash_password", done.stdout)
