"""Workloads: the decorator that defines one, and the loader that finds one again by path in any process."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
import contextlib
import functools
from functools import lru_cache
import hashlib
import importlib.util
import inspect
import itertools
from pathlib import Path
import sys
from types import ModuleType
from typing import Any, overload

from loopstall.errors import InputError, did_you_mean
from loopstall.records import Value, WorkloadRef

__all__ = ["Workload", "discover", "find", "load_file", "resolve", "workload"]

Grid = Mapping[str, Sequence[Value]]
Context = Callable[..., contextlib.AbstractContextManager[Mapping[str, Any] | None]]

_TWIN = "native"  # the dispatch of async twins
_REGISTER = "__loopstall_workloads__"  # in the namespace of the file that defines them


class Workload:
    """A function whose jobs are measured, with what is needed to run it and to check its results.

    A job is ``function(seed, **params)``. Made with the ``workload`` decorator; the methods ``native``, ``verify``,
    ``context`` and ``missing`` are decorators for the other parts.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        grids: tuple[Grid, ...],
        control: bool,
        on_request: bool = False,
        dispatches: tuple[str, ...] = (),
        primed: bool = True,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.grids = grids
        self.control = control
        self.on_request = on_request
        self.dispatches = dispatches
        self.primed = primed
        self.path = inspect.getsourcefile(inspect.unwrap(function)) or ""
        self.stands_for = (inspect.getdoc(function) or "").strip()
        self.native_twin: Callable[..., Awaitable[Any]] | None = None
        self.native_requires: tuple[str, ...] = ()
        self.checker: Callable[..., bool] | None = None
        self.make_context: Context | None = None
        self.find_missing: Callable[..., str | None] | None = None

    def __call__(self, seed: int, **params: Any) -> Any:
        """Does one job, as the undecorated function would."""
        return self.function(seed, **params)

    @property
    def ref(self) -> WorkloadRef:
        """How another process finds this workload."""
        return WorkloadRef(path=self.path, name=self.name)

    def native(self, *, requires: Sequence[str] = ()) -> Callable[[Callable[..., Awaitable[Any]]], "Workload"]:
        """Decorates the async twin: the same job, written for an event loop.

        Args:
            requires: modules without which the twin cannot run; where one is missing, its cells are skipped.
        """

        def keep(twin: Callable[..., Awaitable[Any]]) -> "Workload":
            self.native_twin = twin
            self.native_requires = tuple(requires)
            return self

        return keep

    def verify(self, checker: Callable[..., bool]) -> "Workload":
        """Decorates ``checker(result, seed, **params)``, which says whether a job's result is right."""
        self.checker = checker
        return self

    def context(self, make_context: Context) -> "Workload":
        """Decorates a context manager entered around a run: ``make_context(seed, **params)``.

        What it yields is a mapping of built-in values that every job gets as further keyword arguments, or None.
        """
        self.make_context = make_context
        return self

    def missing(self, find_missing: Callable[..., str | None]) -> "Workload":
        """Decorates ``missing(dispatch, **params)``: why there is no such job under a dispatch, None where there is."""
        self.find_missing = find_missing
        return self

    def why_not(self, dispatch: str, params: Mapping[str, Value]) -> str | None:
        """Returns why a dispatch cannot be had at a point of the parameters; None where it can."""
        if self.dispatches and dispatch not in self.dispatches:
            return f"the workload is about {' and '.join(self.dispatches)} alone"
        return self.find_missing(dispatch, **params) if self.find_missing is not None else None

    def points(self) -> tuple[tuple[tuple[str, Value], ...], ...]:
        """Every combination of parameters of the declared grids, in order, each once."""
        return grid_points(self.grids)


def grid_points(grids: Iterable[Grid]) -> tuple[tuple[tuple[str, Value], ...], ...]:
    """Spreads grids out into their combinations, in order, each once."""
    points: dict[tuple[tuple[str, Value], ...], None] = {}
    for grid in grids:
        for values in itertools.product(*grid.values()):
            points[tuple(zip(grid, values, strict=True))] = None
    return tuple(points)


@overload
def workload(function: Callable[..., Any], /) -> Workload: ...


@overload
def workload(
    *,
    params: Grid | Sequence[Grid] = (),
    control: bool = False,
    on_request: bool = False,
    dispatches: Sequence[str] = (),
    primed: bool = True,
) -> Callable[[Callable[..., Any]], Workload]: ...


def workload(
    function: Callable[..., Any] | None = None,
    /,
    *,
    params: Grid | Sequence[Grid] = (),
    control: bool = False,
    on_request: bool = False,
    dispatches: Sequence[str] = (),
    primed: bool = True,
) -> Workload | Callable[[Callable[..., Any]], Workload]:
    """Makes a workload of a function ``function(seed, **params)`` with built-in types in and out.

    An async function is a workload that is its async twin alone; ``dispatches`` has to say so.

    Args:
        function: the job; its docstring says what it stands for in real programs.
        params: a grid, parameter name to list of values, all combinations of which are measured; or several
            such grids, one after the other.
        control: the workload shows that the machinery works and decides nothing.
        on_request: it is measured where its name or ``--all`` asks for it, and left out of the default matrix.
        dispatches: the ones it is about; it is measured under no other.
        primed: a job of each seed is done before the clock starts, in each worker; False where the first job matters.

    Returns:
        The ``Workload``, or a decorator that makes one.

    Raises:
        InputError: a grid names a parameter that the function does not take.
    """
    grids: tuple[Grid, ...] = (params,) if isinstance(params, Mapping) else tuple(params)

    def decorate(plain: Callable[..., Any]) -> Workload:
        _check_signature(plain, grids, dispatches)
        alone = inspect.iscoroutinefunction(plain)
        made = Workload(
            _run_to_end(plain) if alone else plain,
            grids=grids or ({},),
            control=control,
            on_request=on_request,
            dispatches=tuple(dispatches),
            primed=primed,
        )
        if alone:
            made.native_twin = plain
        plain.__globals__.setdefault(_REGISTER, []).append(made)
        return made

    return decorate(function) if function is not None else decorate


def _run_to_end(twin: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Returns the plain function that does what an async one does, on a loop of its own."""

    @functools.wraps(twin)
    def run(seed: int, **params: Any) -> Any:
        import asyncio  # noqa: PLC0415  # `loopstall --help` starts without it

        return asyncio.run(twin(seed, **params))

    return run


def _check_signature(plain: Callable[..., Any], grids: Iterable[Grid], dispatches: Sequence[str]) -> None:
    taken = inspect.signature(plain).parameters
    if inspect.iscoroutinefunction(plain) and tuple(dispatches) != (_TWIN,):
        raise InputError(
            f"workload {plain.__name__!r} is an async function; decorate the synchronous one and add the async"
            f" twin with .native(), or say dispatches=[{_TWIN!r}] where there is no other"
        )
    if not taken:
        raise InputError(f"workload {plain.__name__!r} takes no argument; its first one must be the seed")
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values()):
        return
    for grid in grids:
        for name in grid:
            if name not in taken:
                raise InputError(f"workload {plain.__name__!r} has no parameter {name!r}; {did_you_mean(name, taken)}")


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
    name = f"loopstall_workload_{file.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is not a Python file; a workload file ends in .py")
    module = importlib.util.module_from_spec(spec)
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
            raise InputError(f"cannot load {file}: line {error.lineno}: {error.msg}; fix the file") from error
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
    """Where workloads are looked for: the current directory's ``workloads``, then the suite's own."""
    here = Path(__file__).resolve().parent
    bundled = here / "_bundled" / "workloads"
    if not bundled.is_dir():
        bundled = here.parent.parent / "workloads"  # an editable install or a checkout
    own = Path.cwd() / "workloads"
    found = [folder.resolve() for folder in (own, bundled) if folder.is_dir()]
    return tuple(dict.fromkeys(found))


def discover() -> dict[str, Workload]:
    """Finds every workload by name; the current directory's own hide the suite's of the same name.

    Raises:
        InputError: a file cannot be loaded, or two files of one folder define one name.
    """
    known: dict[str, Workload] = {}
    for folder in folders():
        here: dict[str, Workload] = {}
        for file in sorted(folder.glob("*.py")):
            if file.name.startswith("_"):
                continue
            for item in load_file(str(file)):
                if item.name in here:
                    other = Path(here[item.name].path).name
                    raise InputError(f"{folder}: {other} and {file.name} both define {item.name!r}; rename one")
                here[item.name] = item
        known = {**here, **known}
    return known


def find(words: Sequence[str], *, everything: bool = False) -> tuple[Workload, ...]:
    """Returns the workloads that the words name: names, or paths of files; the default ones for no words.

    Args:
        words: what to find.
        everything: for no words, also those that are left out of the default matrix.

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
        chosen_ones = (item for item in discover().values() if everything or not item.on_request)
        return tuple(sorted(chosen_ones, key=lambda item: (not item.control, item.name)))
    return tuple(chosen.values())
