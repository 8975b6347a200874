"""Trees of a git repository: a commit, or the working tree, as a folder of its own.

Nothing is registered with the repository (no worktree, no ref), so that there is nothing to take back, however a gate
ends. Such a folder has a ``.git`` that borrows the repository's objects, for builds that ask git for a version.
"""

from collections.abc import Iterator
import contextlib
import hashlib
import os
from pathlib import Path
import shutil
import subprocess

from loopstall.errors import InputError

__all__ = ["copy", "digest", "extract", "git", "listed"]

_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
"""Variables that git sets for its hooks, and that would turn every folder into the hook's repository."""
_GITLINK = "160000"


def git(folder: Path, *arguments: str, otherwise: str) -> str:
    """Returns what a git command prints, without the line end.

    Args:
        folder: where it runs.
        arguments: the command's.
        otherwise: what is wrong where it fails.

    Raises:
        InputError: it fails, or git is missing.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except OSError as error:
        raise InputError(f"cannot run git: {error.strerror}; install it, or give --baseline-path") from error
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().splitlines()
        raise InputError(f"{otherwise}{f' ({said[-1]})' if said else ''}")
    return os.fsdecode(done.stdout).removesuffix("\n")


def listed(folder: Path, *arguments: str) -> list[str]:
    """Returns the paths that a git command with ``-z`` lists.

    Raises:
        InputError: it fails.
    """
    said = git(folder, *arguments, otherwise=f"cannot list the files of {folder}")
    return list(dict.fromkeys(filter(None, said.split("\0"))))


def extract(repository: Path, commit: str, folder: Path) -> None:
    """Writes the files of a commit, those of its submodules too, into a new folder.

    Raises:
        InputError: it cannot be checked out, or the clone lacks a submodule's commit.
    """
    wrong = f"cannot check {commit[:12]} out to {folder}"
    _borrow(repository, commit, folder)
    git(folder, "read-tree", "HEAD", otherwise=wrong)
    git(folder, "checkout-index", "--all", "--force", "--quiet", otherwise=wrong)
    for entry in listed(folder, "ls-files", "--stage", "-z"):
        mode, own_commit, rest = entry.split(" ", 2)
        path = rest.partition("\t")[2]
        if mode != _GITLINK or not (repository / path / ".git").exists():  # the candidate lacks it as well
            continue
        lacking = f"submodule {path} has no commit {own_commit[:12]}; fetch it: git -C {path} fetch origin {own_commit}"
        git(repository / path, "rev-parse", "--verify", "--quiet", f"{own_commit}^{{commit}}", otherwise=lacking)
        shutil.rmtree(folder / path, ignore_errors=True)
        extract(repository / path, own_commit, folder / path)


def copy(root: Path, folder: Path) -> None:
    """Copies the working tree, without what git ignores, into a new folder.

    Raises:
        InputError: a file cannot be read or written.
    """
    with contextlib.suppress(InputError):  # without a commit there is nothing to borrow
        _borrow(root, git(root, "rev-parse", "HEAD", otherwise=""), folder)
        index = git(root, "rev-parse", "--path-format=absolute", "--git-path", "index", otherwise="")
        with contextlib.suppress(OSError):
            shutil.copyfile(index, folder / ".git" / "index")
    try:
        for path in _files(root):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, folder / path, follow_symlinks=False)
    except OSError as error:
        raise InputError(f"cannot copy {root}: {error}; make room or set XDG_CACHE_HOME") from error


def digest(root: Path) -> str:
    """Returns a hash of the working tree's files, without what git ignores.

    Raises:
        InputError: a file cannot be read.
    """
    made = hashlib.blake2b(digest_size=8)
    for path in _files(root):
        file = root / path
        try:
            content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from error
        made.update(b"%s\0%d\0" % (os.fsencode(path), len(content)))
        made.update(content)
    return made.hexdigest()


def _files(root: Path) -> Iterator[str]:
    """Yields the files of a working tree that git tracks or would take, submodules' too, in order."""
    for path in sorted(listed(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")):
        file = root / path
        if file.is_dir() and not file.is_symlink():
            if (file / ".git").exists():
                yield from (os.fspath(Path(path) / inner) for inner in _files(file))
        elif file.exists() or file.is_symlink():
            yield path


def _borrow(repository: Path, commit: str, folder: Path) -> None:
    """Makes a ``.git`` at a commit that has no objects and refs of its own but the repository's."""
    common = git(repository, "rev-parse", "--path-format=absolute", "--git-common-dir", otherwise="cannot find .git")
    place = folder / ".git"
    try:
        place.mkdir(parents=True)
        (place / "HEAD").write_text(f"{commit}\n", encoding="utf-8")
        (place / "commondir").write_bytes(os.fsencode(common) + b"\n")
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror}; set XDG_CACHE_HOME to another folder") from error
