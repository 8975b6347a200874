"""A side at a revision: a worktree of it, and its own build of the project, in the user's cache folder."""

from collections.abc import Callable, Iterable, Sequence
import contextlib
from dataclasses import dataclass
import hashlib
from importlib import metadata
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import tomllib
from typing import Any

from loopstall.errors import InputError
from loopstall.runner.side import Side

__all__ = ["Checkout", "cache_folder", "clean", "root_of"]

_LOCKS = (
    "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt", "constraints.txt",
    "pyproject.toml", "setup.cfg", "setup.py",
)  # fmt: skip
_SHOWN_LINES = 15
_DEFAULT_BRANCHES = ("origin/HEAD", "main", "master", "origin/main", "origin/master")


def cache_folder() -> Path:
    """Returns the folder in which worktrees and environments are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "loopstall" / "gate"


def root_of(folder: Path) -> Path:
    """Returns the checkout that a folder lies in; the folder itself outside of any."""
    with contextlib.suppress(InputError):
        return Checkout.find(folder, lambda _: None).root
    return folder


def clean() -> Path | None:
    """Removes every worktree and environment of the cache; returns the folder, None where there was none."""
    folder = cache_folder()
    if not folder.exists():
        return None
    repositories = {marker.read_text(encoding="utf-8") for marker in folder.glob("*/repository")}
    shutil.rmtree(folder, ignore_errors=True)
    for repository in repositories:
        with contextlib.suppress(OSError):
            subprocess.run(["git", "-C", repository, "worktree", "prune"], check=False, capture_output=True)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A git repository whose revisions are sides.

    Args:
        root: the top folder of the working tree.
        say: told what is being built.
    """

    root: Path
    say: Callable[[str], object]

    @classmethod
    def find(cls, start: Path, say: Callable[[str], object]) -> "Checkout":
        """Returns the checkout around a folder.

        Raises:
            InputError: it is in none, or git is missing.
        """
        top = _git(start, "rev-parse", "--show-toplevel", otherwise=f"{start} is not in a git checkout")
        return cls(root=Path(top), say=say)

    def resolve(self, revision: str | None) -> str:
        """Returns the commit of a revision; for None the last one that the default branch has too.

        Raises:
            InputError: there is no such revision, or no default branch.
        """
        if revision is not None:
            wrong = f"there is no revision {revision!r} in {self.root}; `git log` shows what there is"
            return _git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", otherwise=wrong)
        for branch in _DEFAULT_BRANCHES:
            with contextlib.suppress(InputError):
                _git(self.root, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}", otherwise="")
                return _git(self.root, "merge-base", "HEAD", branch, otherwise="")
        raise InputError(f"{self.root} has no branch main or master to take a baseline from; name one with --baseline")

    def baseline(self, commit: str) -> Side:
        """Returns the side of a commit.

        Raises:
            InputError: it cannot be checked out or built.
        """
        tree = self._tree(commit)
        return self._side(tree, f"{commit[:12]}", self._cache / "builds" / f"{commit}-{_python_tag()}")

    def candidate(self) -> Side:
        """Returns the side of the working tree as it is, uncommitted changes and all.

        Raises:
            InputError: it cannot be built.
        """
        target = self._cache / "builds" / f"working-tree-{_python_tag()}"
        shutil.rmtree(target, ignore_errors=True)
        return self._side(self.root, "working tree", target)

    @property
    def _cache(self) -> Path:
        digest = hashlib.blake2b(os.fsencode(self.root), digest_size=6).hexdigest()
        folder = cache_folder() / f"{self.root.name}-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "repository").write_text(str(self.root), encoding="utf-8")
        except OSError as error:
            text = f"cannot write the cache folder {folder}: {error.strerror}; set XDG_CACHE_HOME to another"
            raise InputError(text) from error
        return folder

    def _tree(self, commit: str) -> Path:
        tree = self._cache / "trees" / commit
        if not (tree / ".git").exists():
            _git(self.root, "worktree", "prune", otherwise="cannot tidy up the worktrees")
            wrong = f"cannot check {commit[:12]} out to {tree}"
            _git(self.root, "worktree", "add", "--detach", "--force", str(tree), commit, otherwise=wrong)
        return tree

    def _side(self, tree: Path, name: str, target: Path) -> Side:
        if not _is_project(tree):
            return Side.of_folder(name, tree)
        python = self._environment(tree)
        if not target.exists():
            self.say(f"building {name}")
            with tempfile.TemporaryDirectory(dir=target.parent if target.parent.exists() else self._cache) as draft:
                place = Path(draft) / "code"
                self._install(python, ["--no-deps", "--target", str(place), str(tree)], name)
                target.parent.mkdir(parents=True, exist_ok=True)
                place.replace(target)
        return Side(name=name, python=str(python), folders=(str(target),))

    def _environment(self, tree: Path) -> Path:
        """Returns the interpreter of the environment that the tree's lock files ask for, built if need be."""
        digest = hashlib.blake2b(digest_size=8)
        for file in _LOCKS:
            with contextlib.suppress(OSError):
                digest.update(file.encode() + b"\0" + (tree / file).read_bytes())
        digest.update("\0".join(_requirements(tree)[:-1]).encode())
        folder = self._cache / "environments" / f"{digest.hexdigest()}-{_python_tag()}"
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if (folder / "complete").exists():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        self.say("building an environment; the next gate with the same lock files uses it again")
        uv = shutil.which("uv")
        maker = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        _build([*maker, str(folder)], "cannot make an environment")
        self._install(python, _requirements(tree), "the environment")
        (folder / "complete").touch()
        return python

    def _install(self, python: Path, arguments: Sequence[str], what: str) -> None:
        uv = shutil.which("uv")
        command = (
            [uv, "pip", "install", "--quiet", "--python", str(python)]
            if uv
            else [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        )
        _build([*command, *arguments], f"{what} does not build")


def _settings(tree: Path) -> dict[str, Any]:
    """Returns what pyproject.toml says, nothing where there is none."""
    path = tree / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _is_project(tree: Path) -> bool:
    """Returns whether a tree is an installable project or only holds code."""
    return (tree / "setup.py").is_file() or not _settings(tree).keys().isdisjoint({"build-system", "project"})


def _requirements(tree: Path) -> list[str]:
    """Returns what an environment of the tree needs: this loopstall with its loops and libraries, and the tree."""
    extras = ",".join(name for name in ("uvloop", "aiofiles") if _installed(name))
    wanted = f"loopstall[{extras}]" if extras else "loopstall"
    if _settings(tree).get("project", {}).get("name") == "loopstall":
        return [wanted.replace("loopstall", str(tree), 1)]
    distribution = metadata.distribution("loopstall")
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    if str(direct.get("url", "")).startswith("file:"):
        return [f"{wanted} @ {direct['url']}", str(tree)]
    return [f"{wanted}=={distribution.version}", str(tree)]


def _installed(package: str) -> bool:
    with contextlib.suppress(metadata.PackageNotFoundError):
        metadata.version(package)
        return True
    return False


def _python_tag() -> str:
    return f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"


def _build(command: Iterable[str | None], wrong: str) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise InputError(f"{wrong}; the last it said: {' / '.join(lines[-_SHOWN_LINES:])}")


def _git(folder: Path, *arguments: str, otherwise: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"cannot run git: {error.strerror}; install it, or give --baseline-path") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise InputError(f"{otherwise}{f' ({said[-1]})' if said else ''}")
    return done.stdout.strip()
