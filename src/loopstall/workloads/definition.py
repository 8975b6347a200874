"""Workloads: the decorator that defines one."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
import contextlib
import functools
import inspect
import itertools
from typing import Any, overload
import warnings

from loopstall.errors import InputError, did_you_mean
from loopstall.records import Value, WorkloadRef
from loopstall.records.cells import ASYNC, OLDER_ASYNC, dispatch_named

__all__ = ["Context", "Grid", "Workload", "grid_points", "workload"]


def _run_to_end(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Returns the plain function that does what an async one does, on a loop of its own."""

    @functools.wraps(function)
    def run(seed: int, **params: Any) -> Any:
        import asyncio  # `loopstall --help` starts without it

        return asyncio.run(function(seed, **params))

    return run


def _warn(text: str) -> None:
    """Warns of an older name at the line that uses it."""
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class _Word(str):
    """The name of a dispatch for a user's function, equal to its older name as well, of which it warns."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if other == OLDER_ASYNC and str.__eq__(self, ASYNC):
            _warn(f"the dispatch {OLDER_ASYNC!r} is called {ASYNC!r} since loopstall 0.1: compare with {ASYNC!r}")
            return True
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other


Grid = Mapping[str, Sequence[Value]]


Context = Callable[..., contextlib.AbstractContextManager[Mapping[str, Any] | None]]


_REGISTER = "__loopstall_workloads__"  # in the namespace of the file that defines them


class Workload:
    """A function whose jobs are measured, with what is needed to run it and to check its results.

    A job is ``function(seed, **params)``. Made with the ``workload`` decorator; the methods ``async_version``,
    ``verify``, ``context`` and ``missing`` are decorators for the other parts.
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
        self.async_function: Callable[..., Awaitable[Any]] | None = None
        self.async_requires: tuple[str, ...] = ()
        self.checker: Callable[..., bool] | None = None
        self.make_context: Context | None = None
        self.find_missing: Callable[..., str | None] | None = None

    def __call__(self, seed: int, **params: Any) -> Any:
        """Does one job, as the undecorated function would."""
        return self.function(seed, **params)

    @property
    def ref(self) -> WorkloadRef:
        """The reference by which another process finds this workload."""
        return WorkloadRef(path=self.path, name=self.name)

    def async_version(self, *, requires: Sequence[str] = ()) -> Callable[[Callable[..., Awaitable[Any]]], "Workload"]:
        """Decorates the async version: the same job, written for an event loop.

        Args:
            requires: modules without which it cannot run; where one is missing, its cells are skipped.
        """

        def keep(function: Callable[..., Awaitable[Any]]) -> "Workload":
            self.async_function = function
            self.async_requires = tuple(requires)
            return self

        return keep

    def native(self, *, requires: Sequence[str] = ()) -> Callable[[Callable[..., Awaitable[Any]]], "Workload"]:
        """Decorates the async version: the older name of ``async_version``, deprecated since version 0.1."""
        _warn(f"the method {OLDER_ASYNC} of a workload is deprecated since loopstall 0.1: write async_version")
        return self.async_version(requires=requires)

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

    @contextlib.contextmanager
    def entered(self, seed: int, params: Iterable[tuple[str, Value]]) -> Iterator[dict[str, Any]]:
        """Enters the workload's context, if it has one, and gives the keyword arguments of every job.

        Args:
            seed: of the run.
            params: one point of the parameters.
        """
        chosen: dict[str, Any] = dict(params)
        if self.make_context is None:
            yield chosen
            return
        with self.make_context(seed, **chosen) as extra:
            yield {**chosen, **(extra or {})}

    def missing(self, find_missing: Callable[..., str | None]) -> "Workload":
        """Decorates ``missing(dispatch, **params)``: why there is no such job under a dispatch, None where there is."""
        self.find_missing = find_missing
        return self

    def why_not(self, dispatch: str, params: Mapping[str, Value]) -> str | None:
        """Returns why a dispatch is not available at a point of the parameters; None where it is."""
        if self.dispatches and dispatch not in self.dispatches:
            return f"the workload is about {' and '.join(self.dispatches)} alone"
        return self.find_missing(_Word(dispatch), **params) if self.find_missing is not None else None

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

    An async function is a workload that has an async version alone; ``dispatches`` has to say so.

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
        if OLDER_ASYNC in dispatches:
            _warn(f"the dispatch {OLDER_ASYNC!r} is called {ASYNC!r} since loopstall 0.1: write dispatches=[{ASYNC!r}]")
        made = Workload(
            _run_to_end(plain) if alone else plain,
            grids=grids or ({},),
            control=control,
            on_request=on_request,
            dispatches=tuple(map(dispatch_named, dispatches)),
            primed=primed,
        )
        if alone:
            made.async_function = plain
        plain.__globals__.setdefault(_REGISTER, []).append(made)
        return made

    return decorate(function) if function is not None else decorate


def _check_signature(plain: Callable[..., Any], grids: Iterable[Grid], dispatches: Sequence[str]) -> None:
    taken = inspect.signature(plain).parameters
    if inspect.iscoroutinefunction(plain) and tuple(map(dispatch_named, dispatches)) != (ASYNC,):
        raise InputError(
            f"workload {plain.__name__!r} is an async function; decorate the synchronous one and add the async"
            f" version with .async_version(), or give dispatches=[{ASYNC!r}] where there is no other"
        )
    if not taken:
        raise InputError(f"workload {plain.__name__!r} takes no argument; its first one must be the seed")
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values()):
        return
    for grid in grids:
        for name in grid:
            if name not in taken:
                raise InputError(f"workload {plain.__name__!r} has no parameter {name!r}; {did_you_mean(name, taken)}")
