"""A side that is an installable project: its build, over an environment for each state of its lock files."""

from collections.abc import Callable, Iterable, Sequence
import contextlib
from contextlib import AbstractContextManager
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
from urllib.parse import unquote

from loopstall.errors import InputError
from loopstall.runner.side import Side

__all__ = ["Builder", "is_project"]

_LOCKS = (
    "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt", "constraints.txt",
    "pyproject.toml", "setup.cfg", "setup.py",
)  # fmt: skip
_SHOWN_LINES = 15
_Copied = Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds projects into a folder of the user's cache.

    Args:
        cache: the folder of the repository there.
        say: told what is being built.
    """

    cache: Path
    say: Callable[[str], object]

    def side(self, name: str, tree: Path, folder: Path, *, key: str, copied: _Copied) -> Side:
        """Returns the side of a project.

        Args:
            name: as reports call it.
            tree: that the project is in.
            folder: of the project, relative to the tree.
            key: of the state of the tree, by which a build is found again.
            copied: gives a tree of that state that a build may write to.

        Raises:
            InputError: it does not build.
        """
        where = hashlib.blake2b(os.fsencode(folder), digest_size=4).hexdigest()
        target = self.cache / "builds" / f"{key}-{where}-{_python_tag()}"
        python, local = self._environment(tree / folder, tree, copied, folder)
        if not target.exists():
            self.say(f"building {name}")
            with copied() as place, tempfile.TemporaryDirectory(prefix="draft-", dir=self.cache) as draft:
                code = Path(draft) / "code"
                sources = [place / one for one in dict.fromkeys((folder, *local))]
                self._install(python, ["--no-deps", "--target", str(code), *map(str, sources)], name)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():  # another gate may have been first
                    code.replace(target)
        target.touch()  # builds that are not used for long are removed
        return Side(name=name, python=str(python), folders=(str(target),), root=str(tree))

    def _environment(self, project: Path, tree: Path, copied: _Copied, folder: Path) -> tuple[Path, list[Path]]:
        """Returns the interpreter of the environment that the lock files ask for, built if need be.

        What it installs out of the tree itself is taken out again: it is each side's own, and is built for each.

        Returns:
            The interpreter, and the folders of the tree that it was installed from, relative.
        """
        digest = hashlib.blake2b(os.fsencode(folder), digest_size=8)
        for file in _LOCKS:
            with contextlib.suppress(OSError):
                digest.update(file.encode() + b"\0" + (project / file).read_bytes())
        digest.update("\0".join(_requirements(project)[:-1]).encode())
        place = self.cache / "environments" / f"{digest.hexdigest()}-{_python_tag()}"
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        complete = place / "complete"
        if not complete.exists():
            shutil.rmtree(place, ignore_errors=True)
            self.say("building an environment; the next gate with the same lock files uses it again")
            uv = shutil.which("uv")
            maker = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
            _build([*maker, str(place)], "cannot make an environment")
            with copied() as source:
                self._install(python, _requirements(source / folder), "the environment")
                own = _installed_from(place, source)
            if own:
                _build([*_pip(python, "uninstall"), *([] if uv else ["--yes"]), *own], "cannot tidy the environment up")
            complete.write_text(json.dumps([str(one) for one in own.values()]), encoding="utf-8")
        return python, [one for one in map(Path, json.loads(complete.read_text("utf-8"))) if (tree / one).is_dir()]

    def _install(self, python: Path, arguments: Sequence[str], what: str) -> None:
        _build([*_pip(python, "install"), *arguments], f"{what} does not build")


def _pip(python: Path, command: str) -> list[str]:
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", command, "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", command, "--quiet", "--disable-pip-version-check"]


def _installed_from(environment: Path, tree: Path) -> dict[str, Path]:
    """Returns the distributions that were installed out of a tree, each with its folder there, relative."""
    found: dict[str, Path] = {}
    for file in environment.glob("**/*.dist-info/direct_url.json"):
        url = str(json.loads(file.read_text(encoding="utf-8")).get("url", ""))
        for folder in (tree, tree.resolve()):
            if url == folder.as_uri() or url.startswith(f"{folder.as_uri()}/"):
                name = metadata.PathDistribution(file.parent).metadata["Name"]
                found[name] = Path(unquote(url.removeprefix(folder.as_uri()).lstrip("/")))
    return found


def _settings(tree: Path) -> dict[str, Any]:
    """Returns what pyproject.toml says, nothing where there is none."""
    path = tree / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def is_project(tree: Path) -> bool:
    """Returns whether a folder is an installable project or only holds code.

    Raises:
        InputError: its pyproject.toml cannot be read.
    """
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


def _build(command: Iterable[str], wrong: str) -> None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(list(command), capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise InputError(f"{wrong}; its last output: {' / '.join(lines[-_SHOWN_LINES:])}")
