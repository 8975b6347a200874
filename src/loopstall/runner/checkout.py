"""A git checkout whose commits and working tree are the sides of a comparison."""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, replace
from functools import partial
import hashlib
import os
from pathlib import Path
import shutil
import tempfile
import time

from loopstall.errors import InconclusiveError, InputError
from loopstall.runner import git
from loopstall.runner.build import Builder, is_project
from loopstall.runner.side import Side, Sides, facing

__all__ = ["Checkout", "cache_folder", "clean", "root_of"]

_DEFAULT_BRANCHES = ("origin/HEAD", "main", "master", "origin/main", "origin/master")
_KEPT_S = 24 * 3600
_SHALLOW = (
    "this clone is shallow: write `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` for GitLab,"
    " or run `git fetch --unshallow`"
)


def cache_folder() -> Path:
    """Returns the folder in which trees, builds and environments are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "loopstall" / "gate"


def root_of(folder: Path) -> Path:
    """Returns the checkout that a folder lies in; the folder itself outside of any."""
    with contextlib.suppress(InputError):
        return Checkout.find(folder, lambda _: None).root
    return folder


def clean() -> Path | None:
    """Removes every tree, build and environment of the cache; returns the folder, None where there was none."""
    folder = cache_folder()
    if not folder.exists():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A git repository whose revisions are sides.

    Args:
        root: the top folder of the working tree.
        here: the folder in it that is compared, relative: its code is imported first.
        say: told what is being built.
    """

    root: Path
    here: Path
    say: Callable[[str], object]

    @classmethod
    def find(cls, start: Path, say: Callable[[str], object]) -> "Checkout":
        """Returns the checkout around a folder.

        Raises:
            InputError: it is in none, or git is missing.
        """
        top = Path(git.git(start, "rev-parse", "--show-toplevel", otherwise=f"{start} is not in a git checkout"))
        return cls(root=top, here=start.resolve().relative_to(top.resolve()), say=say)

    def resolve(self, revision: str | None) -> str:
        """Returns the commit of a revision; for None the last one that the default branch has too.

        Raises:
            InputError: there is no such revision, or no default branch; where the clone is shallow, it says so.
        """
        shallow = git.git(self.root, "rev-parse", "--is-shallow-repository", otherwise="") == "true"
        if revision is not None:
            commit = self._commit(revision)
            hint = f"; {_SHALLOW}" if shallow else "; `git log` shows what there is"
            if not commit:
                raise InputError(f"there is no revision {revision!r} in {self.root}{hint}")
            return commit
        for branch in _DEFAULT_BRANCHES:
            if not self._commit(branch):
                continue
            with contextlib.suppress(InputError):
                return git.git(self.root, "merge-base", "HEAD", branch, otherwise="")
        if shallow:
            raise InputError(f"there is no baseline in {self.root}, since {_SHALLOW}")
        raise InputError(f"{self.root} has no branch main or master to take a baseline from; name one with --baseline")

    def sides(self, revision: str | None) -> Sides:
        """Returns a commit and the working tree as it is, uncommitted changes and all.

        Args:
            revision: of the baseline; the last commit that the default branch has too for None.

        Raises:
            InputError: there is no such commit, or a side cannot be checked out or built.
            InconclusiveError: the two hold the same files.
        """
        commit = self.resolve(revision)
        tracked, others = self._changed(commit)
        same = self._same(commit, asked=revision is not None)
        if not (tracked or others):
            raise InconclusiveError(f"there is nothing to compare: {same}")
        self._tidy()
        sides = facing(
            self._baseline(commit),
            self._candidate(),
            changed=tuple(sorted(tracked | others)),
            same="" if tracked else same,
            bytecode=str(self._cache / "bytecode"),
        )
        return replace(sides, commit=commit)

    def _changed(self, commit: str) -> tuple[set[str], set[str]]:
        """Returns the tracked files that differ from a commit, and those that are there besides and not ignored.

        Raises:
            InputError: git cannot tell.
        """
        tracked = git.listed(self.root, "diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=none", commit)
        others = git.listed(self.root, "ls-files", "-z", "--others", "--exclude-standard")
        return set(tracked), {path for path in others if not _made_by_running(path)}

    def _tidy(self) -> None:
        """Removes builds of the working tree that were not used of late, and what a killed gate has left."""
        for folder in (*self._cache.glob("draft-*"), *self._cache.glob("builds/working-tree-*")):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _commit(self, revision: str) -> str:
        with contextlib.suppress(InputError):
            return git.git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", otherwise="")
        return ""

    def _same(self, commit: str, *, asked: bool) -> str:
        """Says why a baseline has the files of the working tree, and what to do."""
        if self._commit("HEAD") != commit:
            return f"the working tree holds the files of {commit[:12]}; name another revision with --baseline"
        if git.git(self.root, "rev-parse", "--is-shallow-repository", otherwise="") == "true":
            return f"the baseline is HEAD itself ({commit[:12]}), and {_SHALLOW}"
        why = "" if asked else ", since the default branch has this commit too"
        before = "compare with the commit before it: --baseline HEAD~1"
        return f"the baseline is HEAD itself ({commit[:12]}){why}, and nothing is uncommitted; {before}"

    def _baseline(self, commit: str) -> Side:
        tree = self._cache / "trees" / commit
        if not tree.exists():
            with self._draft() as draft:
                git.extract(self.root, commit, draft)
                _keep(draft, tree)
        folder = self._project_in(tree)
        if folder is None:
            return self._plain(f"{commit[:12]}", tree)
        builder = Builder(cache=self._cache, say=self.say)
        return builder.side(f"{commit[:12]}", tree, folder, key=commit, copied=partial(_as_it_is, tree))

    def _candidate(self) -> Side:
        folder = self._project_in(self.root)
        if folder is None:
            return self._plain("working tree", self.root)
        key = f"working-tree-{git.digest(self.root)}"
        builder = Builder(cache=self._cache, say=self.say)
        return builder.side("working tree", self.root, folder, key=key, copied=self._copy)

    def _project_in(self, tree: Path) -> Path | None:
        """Returns the innermost installable project around the folder that is compared, relative; None for none."""
        return next((one for one in (self.here, *self.here.parents) if is_project(tree / one)), None)

    def _plain(self, name: str, tree: Path) -> Side:
        return Side.of_folder(name, tree, within=tuple(dict.fromkeys((self.here, Path()))))

    @contextlib.contextmanager
    def _copy(self) -> Iterator[Path]:
        """Gives a copy of the working tree, since a build writes into the folder that it builds."""
        with self._draft() as draft:
            git.copy(self.root, draft)
            yield draft

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """Gives a new folder of the cache that goes away where it is not kept."""
        with tempfile.TemporaryDirectory(prefix="draft-", dir=self._cache, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / "tree"

    @property
    def _cache(self) -> Path:
        digest = hashlib.blake2b(os.fsencode(self.root), digest_size=6).hexdigest()
        folder = cache_folder() / f"{self.root.name}-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = f"cannot write the cache folder {folder}: {error.strerror}; set XDG_CACHE_HOME to another"
            raise InputError(text) from error
        return folder


def _as_it_is(tree: Path) -> contextlib.AbstractContextManager[Path]:
    return contextlib.nullcontext(tree)


def _keep(draft: Path, place: Path) -> None:
    """Moves a folder that is complete to its place, unless another process was first."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.replace(place)
    except OSError:
        if not place.exists():
            raise


def _made_by_running(path: str) -> bool:
    """Returns whether an untracked file is what runs leave behind: bytecode, or a part of a result of ours."""
    parts = Path(path).parts
    return "__pycache__" in parts or ("reports" in parts[:-1] and not path.endswith(".py"))
