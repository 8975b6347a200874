"""Workloads: the decorator that defines one, and the loader that finds one again by path in any process."""

from collections.abc import Sequence
from functools import lru_cache
import hashlib
import importlib.util
from pathlib import Path
import sys
from types import ModuleType

from loopstall.errors import InputError, did_you_mean
from loopstall.records import WorkloadRef
from loopstall.workloads import places
from loopstall.workloads.definition import _REGISTER, Workload

__all__ = ["MODULE_PREFIX", "discover", "find", "load_file", "resolve"]

MODULE_PREFIX = "loopstall_workload_"
"""The beginning of the names under which workload files are imported."""


@lru_cache(maxsize=256)
def load_file(path: str) -> tuple[Workload, ...]:
    """Imports a workload file under a module name derived from its path.

    Args:
        path: the file's absolute path.

    Returns:
        The workloads that it defines, in order.

    Raises:
        InputError: the file cannot be read or run, or defines no workload, two of one name, or one without verify.
    """
    found: list[Workload] = getattr(_execute(Path(path)), _REGISTER, [])
    names = [item.name for item in found]
    for item in found:
        if names.count(item.name) > 1:
            raise InputError(f"{path} defines two workloads named {item.name!r}; rename one")
        if item.checker is None:
            hint = f"say with @{item.name}.verify when a result is right"
            raise InputError(f"{path}: workload {item.name!r} has no verify; {hint}")
    if not found:
        raise InputError(f"{path} defines no workload; decorate a function with @loopstall.workload")
    return tuple(found)


def _execute(file: Path) -> ModuleType:
    if not file.is_file():
        raise InputError(f"there is no workload file {file}; check the path")
    digest = hashlib.blake2b(str(file).encode("utf-8", "replace"), digest_size=4).hexdigest()
    name = f"{MODULE_PREFIX}{file.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is not a Python file; a workload file ends in .py")
    module = importlib.util.module_from_spec(spec)
    places.stay()
    for folder in (str(Path.cwd()), str(file.parent)):
        if folder not in sys.path:
            sys.path.append(folder)  # behind everything else: a workload's neighbours never shadow a package
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, InputError):
            raise InputError(f"cannot load {file}: {error}") from error
        if isinstance(error, SyntaxError):
            there = "" if error.filename in {None, str(file)} else f"{error.filename}, "
            raise InputError(f"cannot load {file}: {there}line {error.lineno}: {error.msg}; fix the file") from error
        raise InputError(f"cannot load {file}: {type(error).__name__}: {error}; fix the file") from error
    return module


@lru_cache(maxsize=1024)
def resolve(path: str, name: str) -> Workload:
    """Returns the workload of that name in that file, loading the file once a process."""
    for item in load_file(path):
        if item.name == name:
            return item
    raise InputError(f"{path} has no workload {name!r}")


def folders() -> tuple[Path, ...]:
    """Returns the folders of workloads: the current directory's ``workloads``, then the bundled ones."""
    here = Path(__file__).resolve().parent
    bundled = here.parent / "_bundled" / "workloads"
    if not bundled.is_dir():
        bundled = here.parent.parent.parent / "workloads"  # an editable install or a checkout
    own = Path.cwd() / "workloads"
    found = [folder.resolve() for folder in (own, bundled) if folder.is_dir()]
    return tuple(dict.fromkeys(found))


def discover() -> dict[str, Workload]:
    """Finds every workload by name; the current directory's own hide the bundled ones of the same name.

    Raises:
        InputError: a file cannot be loaded, or two files of one folder define one name.
    """
    known: dict[str, Workload] = {}
    for folder in folders():
        known = {**_defined(folder), **known}
    return known


def _defined(folder: Path) -> dict[str, Workload]:
    """Returns what the files of a folder define, by name; a file that begins with ``_`` is left out."""
    here: dict[str, Workload] = {}
    for file in sorted(folder.glob("*.py")):
        if file.name.startswith("_"):
            continue
        for item in load_file(str(file)):
            if item.name in here:
                other = Path(here[item.name].path).name
                raise InputError(f"{folder}: {other} and {file.name} both define {item.name!r}; rename one")
            here[item.name] = item
    return here


def _default(*, bundled: bool) -> dict[str, Workload]:
    """Returns the workloads that a command without names is about.

    Those of the first folder that has any: a project cannot change what the bundled ones measure.
    """
    if bundled:
        return discover()
    return next(filter(None, map(_defined, folders())), {})


def find(words: Sequence[str], *, everything: bool = False, bundled: bool = False) -> tuple[Workload, ...]:
    """Returns the workloads that the words name: names, or paths of files.

    For no words, those of the current directory's ``workloads``; where it has none, the bundled ones.

    Args:
        words: names or paths of workloads.
        everything: for no words, also those that are left out of the default matrix.
        bundled: for no words, also the bundled ones where the current directory has workloads.

    Raises:
        InputError: a word names nothing.
    """
    chosen: dict[WorkloadRef, Workload] = {}
    known: dict[str, Workload] | None = None
    for word in words:
        if word.endswith(".py") or "/" in word or "\\" in word:
            items: tuple[Workload, ...] = load_file(str(Path(word).resolve()))
        else:
            known = known if known is not None else discover()
            if word not in known:
                raise InputError(f"unknown workload {word!r}; {did_you_mean(word, known)}")
            items = (known[word],)
        chosen.update({item.ref: item for item in items})
    if not words:
        chosen_ones = (item for item in _default(bundled=bundled).values() if everything or not item.on_request)
        return tuple(sorted(chosen_ones, key=lambda item: (not item.control, item.name)))
    return tuple(chosen.values())
