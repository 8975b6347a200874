"""The matrix: workloads by parameters by strategies under one load, as cells and reasons for those left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
import fnmatch
import math

from loopstall.dispatch import DISPATCHES
from loopstall.errors import InputError, did_you_mean
from loopstall.loops import LOOPS, asyncio_loop
from loopstall.records import Cell, Load, Skipped, Strategy, Value
from loopstall.records.cells import INLINE, dispatch_named
from loopstall.servers import DEF, SERVERS
from loopstall.workloads.definition import Grid, Workload, grid_points

__all__ = ["again", "build", "override", "parse_strategy", "scenarios", "scenarios_of", "serve", "strategies"]

_SHORT = {name: f"{asyncio_loop.LOOP.name}/{name}" for name in DISPATCHES}


def strategies(*, everything: bool = False) -> tuple[Strategy, ...]:
    """Every loop with every dispatch.

    Args:
        everything: also those that are for who asks for them.
    """
    chosen = [item for item in DISPATCHES.values() if everything or not item.on_request]
    loops = [item for item in LOOPS.values() if everything or not item.on_request]
    return tuple(
        Strategy(loop=loop.name, dispatch=dispatch.name)
        for loop in loops
        for dispatch in chosen
        if dispatch.runs_on(loop)
    )


def parse_strategy(text: str) -> Strategy:
    """Reads ``loop/dispatch`` or a short name: a loop alone is inline, a dispatch alone is on asyncio.

    Raises:
        InputError: there is no such loop or dispatch.
    """
    full = f"{text}/{INLINE}" if text in LOOPS else _SHORT.get(dispatch_named(text), text)
    loop, slash, word = full.partition("/")
    dispatch = dispatch_named(word)
    if not slash:
        raise InputError(f"unknown strategy {text!r}; {did_you_mean(text, [*_SHORT, *map(str, strategies()), *LOOPS])}")
    if loop not in LOOPS:
        raise InputError(f"unknown loop {loop!r} in strategy {text!r}; {did_you_mean(loop, LOOPS)}")
    if dispatch not in DISPATCHES:
        known = did_you_mean(word, DISPATCHES)
        raise InputError(f"unknown dispatch {word!r} in strategy {text!r}; {known}")
    if not DISPATCHES[dispatch].runs_on(LOOPS[loop]):
        there = ", ".join(name for name, item in DISPATCHES.items() if item.runs_on(LOOPS[loop]))
        raise InputError(f"strategy {text!r} cannot be had: {loop} has {there}")
    return Strategy(loop=loop, dispatch=dispatch)


def override(workloads: Sequence[Workload], settings: Sequence[tuple[str, str]]) -> dict[str, tuple[Grid, ...]]:
    """Replaces declared parameter values by what the user asked for.

    A word (``variant=scrypt``) chooses among the declared ones; a number replaces them. A workload without the
    parameter is left as it is.

    Args:
        workloads: the chosen workloads.
        settings: (name, value or values with commas between) as written.

    Returns:
        The grids of each workload, by its name.

    Raises:
        InputError: no chosen workload has the parameter, or the value does not fit it.
    """
    grids = {item.name: item.grids for item in workloads}
    known = {name for item in workloads for grid in item.grids for name in grid}
    for name, text in settings:
        if name not in known:
            raise InputError(f"no chosen workload has a parameter {name!r}; {did_you_mean(name, known)}")
        for workload, declared in grids.items():
            if any(name in grid for grid in declared):
                grids[workload] = _replace(declared, name, text, workload)
    return grids


def _replace(grids: tuple[Grid, ...], name: str, text: str, workload: str) -> tuple[Grid, ...]:
    declared = [value for grid in grids for value in grid.get(name, ())]
    wanted = [_parse(part.strip(), declared, name, workload) for part in text.split(",")]
    if isinstance(wanted[0], str):
        kept = [{**grid, name: [v for v in grid[name] if v in wanted]} for grid in grids if name in grid]
        return tuple(grid for grid in kept if grid[name])
    return tuple({**grid, name: wanted} if name in grid else grid for grid in grids)


def _parse(text: str, declared: Sequence[Value], name: str, workload: str) -> Value:
    like = declared[0]
    if isinstance(like, bool):
        if text.lower() not in {"true", "false"}:
            raise InputError(f"{name}={text} of {workload} is true or false")
        return text.lower() == "true"
    if isinstance(like, str):
        if text not in declared:
            words = [str(value) for value in declared]
            raise InputError(f"{workload} has no {name} {text!r}; {did_you_mean(text, words)}")
        return text
    try:
        number = type(like)(text)
    except ValueError:
        kind = "a whole number" if isinstance(like, int) else "a number"
        raise InputError(f"{name}={text} of {workload} is not {kind}") from None
    if not math.isfinite(number) or (number < 0 <= min(value for value in declared if not isinstance(value, str))):
        raise InputError(f"{name}={text} of {workload} is out of range; its declared values are {declared}")
    return number


def build(
    workloads: Iterable[Workload],
    grids: Mapping[str, tuple[Grid, ...]],
    wanted: Sequence[Strategy],
    load: Load,
) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    """Spreads workloads, parameters and strategies out into cells.

    Args:
        workloads: the workloads to run.
        grids: the parameters of each workload, by its name.
        wanted: the strategies.
        load: the arrival of jobs.

    Returns:
        The cells that can be measured here, and those that cannot, with the reason.
    """
    planned = [
        (item, Cell(workload=item.ref, params=point, strategy=strategy, load=load, control=item.control))
        for item in workloads
        for point in grid_points(grids[item.name])
        for strategy in _fitting(item, wanted)
    ]
    return _sorted(planned)


def _fitting(item: Workload, wanted: Sequence[Strategy]) -> Sequence[Strategy]:
    """Returns the strategies that a workload is about; all, to be skipped with the reason, where it is about none."""
    fitting = [strategy for strategy in wanted if not item.dispatches or strategy.dispatch in item.dispatches]
    return fitting or wanted


def again(before: Iterable[Cell], workloads: Iterable[Workload]) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    """Returns the cells of an earlier plan, perhaps of another machine, over the workloads of these names.

    Args:
        before: the cells; those of other workloads are left out.
        workloads: their places now.

    Returns:
        The cells that can be measured here, and those that cannot, with the reason.
    """
    known = {item.name: item for item in workloads}
    planned = [
        (known[cell.workload.name], replace(cell, workload=known[cell.workload.name].ref))
        for cell in before
        if cell.workload.name in known
    ]
    return _sorted(planned)


def scenarios() -> tuple[Strategy, ...]:
    """Returns every server with every way in which it can do heavy work."""
    return tuple(Strategy(loop=server.name, dispatch=way) for server in SERVERS.values() for way in server.dispatches)


def scenarios_of(word: str) -> tuple[Strategy, ...]:
    """Returns the scenarios that a word means: SERVER/DISPATCH, a server alone or a pattern; none for another word."""
    return tuple(
        item for item in scenarios() if fnmatch.fnmatchcase(str(item), word) or fnmatch.fnmatchcase(item.loop, word)
    )


def serve(
    workloads: Iterable[Workload], grids: Mapping[str, tuple[Grid, ...]], wanted: Sequence[Strategy], load: Load
) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    """Spreads heavy work and servers out into cells.

    Args:
        workloads: the jobs of heavy requests.
        grids: the parameters of each workload, by its name.
        wanted: servers with their dispatches.
        load: the arrival of requests.

    Returns:
        The cells that can be measured here, and those that cannot, with the reason.
    """
    return _sorted(
        (item, Cell(workload=item.ref, params=point, strategy=strategy, load=load, control=item.control))
        for item in workloads
        for point in grid_points(grids[item.name])
        for strategy in wanted
    )


def _missing(item: Workload, cell: Cell) -> str | None:
    """Returns why a cell cannot be measured here, None where it can."""
    loop, way = cell.strategy.loop, cell.strategy.dispatch
    reason = SERVERS[loop].missing() if cell.load.heavy is not None else LOOPS[loop].missing()
    reason = reason or item.why_not(way, dict(cell.params))
    return reason or (DISPATCHES[way].missing(item) if way != DEF else None)


def _sorted(planned: Iterable[tuple[Workload, Cell]]) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
    """Splits cells into those that can be measured here and those that cannot."""
    cells: list[Cell] = []
    skipped: list[Skipped] = []
    for item, cell in planned:
        reason = _missing(item, cell)
        if reason is None:
            cells.append(cell)
        else:
            skipped.append(Skipped(cell=cell, reason=reason))
    return tuple(cells), tuple(skipped)
