"""Git repositories that a gate is run in, and the code of two sides in them."""

import json
import os
from pathlib import Path
import subprocess

from helpers import loopstall

ONE_PAIR = (
    "--rounds", 1, "--confirm", 1, "--turns", 2, "--effect", "100%", "--alpha", "20%", "--budget", "60s",
    "--availability", "0", "--inconclusive", "pass", "--results", "../out",
)  # fmt: skip
"""A single pair a cell: what is asked is whose code ran, not how fast."""

OLD, NEW = "VALUE = 'old'\ndef work(): return VALUE\n", "VALUE = 'new'\ndef work(): return VALUE\n"
WORKLOAD = """
from loopstall import workload
{imports}

@workload
def {name}(seed):
    return {job}

@{name}.verify
def _(result, seed): return True
"""


def workload(imports="import shop", job="shop.work()", name="calc"):
    return WORKLOAD.format(imports=imports, job=job, name=name)


class Repository:
    """A git repository under a folder with a space and letters that are not ASCII."""

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments, folder=None):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
        command = ["git", "-C", folder or self.root, *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()

    def commit(self, files, *, branch=None):
        if branch:
            self.git("checkout", "-q", "-b", branch)
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")

    def state(self):
        """What a gate has to leave as it was."""
        return [
            self.git(*words)
            for words in (
                ("status", "--porcelain", "--ignored"), ("worktree", "list"), ("show-ref",), ("rev-parse", "HEAD"),
                ("stash", "list"),
            )
        ]  # fmt: skip

    @property
    def cache(self):
        return {**os.environ, "XDG_CACHE_HOME": str(self.root.parent / "cache")}

    def gate(self, *arguments, here=".", env=None):
        command = ("gate", "-s", "asyncio", *arguments)
        return loopstall(*command, cwd=self.root / here, timeout=200, env={**self.cache, **(env or {})})

    def imported(self, side):
        """Of each module that a side's processes imported: the file, and what is in it."""
        runs = [json.loads(path.read_text())["data"] for path in (self.out / side / "runs").iterdir()]
        return {module["name"]: Path(module["file"]) for one in runs for module in one["code"]["modules"]}

    @property
    def out(self):
        return next(folder for folder in (self.root.parent / "out", self.root / "out") if folder.is_dir())

    def verdicts(self):
        return {item["row"]: item for item in json.loads((self.out / "verdicts.json").read_text())["data"]}


def assert_each_side_ran_its_own(repository, module="shop"):
    base, head = (repository.imported(side)[module] for side in ("baseline", "candidate"))
    assert base.read_text() == OLD
    assert head.read_text() == NEW
    assert {item["code"] for item in repository.verdicts().values()} == {"different"}
