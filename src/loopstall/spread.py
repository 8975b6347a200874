"""A matrix over the workers of a Dask cluster: whole runs, one at a time on each worker, nothing counted twice.

What is sent is a *turn*: all cells of one row in one round, so that strategies which are compared with each other are
measured on one host, one after the other. A turn comes back as a whole, once; one whose worker dies is done again on
another.
"""

from collections.abc import Callable, Generator, Iterable
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from loopstall import environment
from loopstall.errors import InputError, MeasurementError
from loopstall.records import Cell, Plan, Run, RunError
from loopstall.runner import Limits, Runner
from loopstall.session import Slot, run_seed
from loopstall.workloads import discover, resolve

__all__ = ["RESOURCE", "execute", "turns_of"]

RESOURCE = "loopstall"
"""The Dask resource of which a worker has one, where it has several threads."""

_CONNECT_S = 10
_TRIES = 3  # of a turn whose worker dies

Turn = list[Slot]


def turns_of(slots: Iterable[Slot]) -> list[Turn]:
    """Returns slots by row and round, in the order in which they come."""
    turns: dict[tuple[int, str, str], Turn] = {}
    for cell, index in slots:
        turns.setdefault((index, cell.row, str(cell.load)), []).append((cell, index))
    return list(turns.values())


def execute(
    plan: Plan, slots: Iterable[Slot], *, scheduler: str, limits: Limits, save: Callable[[Run], object]
) -> Generator[Run]:
    """Measures slots on a cluster and yields each run when it has been saved.

    Args:
        plan: where the seeds come from.
        slots: what to measure.
        scheduler: its address.
        limits: of each run.
        save: keeps a run.

    Raises:
        InputError: Dask is not installed, the scheduler cannot be reached, or its workers could do two runs at a time.
    """
    try:
        from distributed import Client, as_completed  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise InputError("distributed is not installed; pip install loopstall[dask]") from error
    try:
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot reach the scheduler {scheduler}: {error}; check --scheduler") from error
    with client:
        resources = _one_at_a_time(client.scheduler_info(n_workers=-1)["workers"])
        futures = {
            client.submit(
                _measure, turn, [run_seed(plan, index) for _, index in turn], limits,
                pure=False, resources=resources, retries=0,
            ): turn
            for turn in turns_of(slots)
        }  # fmt: skip
        try:
            for future in as_completed(list(futures)):
                for run in _came_back(future, futures.pop(future)):
                    save(run)
                    yield run
        finally:
            with contextlib.suppress(Exception):  # a scheduler that is gone has nothing left to do
                client.cancel(list(futures))


def _one_at_a_time(workers: dict[str, Any]) -> dict[str, int] | None:
    """Returns what a turn needs of a worker, so that none does two at a time."""
    if not workers:
        raise InputError("the scheduler has no worker; start some with: dask worker ADDRESS --nthreads 1")
    if any(RESOURCE in worker["resources"] for worker in workers.values()):
        return {RESOURCE: 1}
    wide = [address for address, worker in workers.items() if worker["nthreads"] > 1]
    if wide:
        raise InputError(
            f"the worker {wide[0]} could do two runs at a time, which would disturb each other;"
            f" start workers with --nthreads 1, or with --resources {RESOURCE}=1"
        )
    return None


def _came_back(future: Any, turn: Turn) -> list[Run]:
    """Returns the runs of a turn, failed ones where its worker died again and again."""
    error = future.exception()
    if error is None:
        runs: list[Run] = future.result()
        return runs
    message = f"no worker of the cluster could measure it ({type(error).__name__}: {error})"
    return [
        Run(
            cell=cell, index=index, seed=0, started_at="", process_ns=0,
            error=RunError(kind="cluster", message=message),
        )
        for cell, index in turn
    ]  # fmt: skip


def _measure(turn: Turn, seeds: list[int], limits: Limits) -> list[Run]:
    """Measures a turn, on a worker."""
    with Runner(environment.describe(), limits) as runner:
        runs = []
        for (cell, index), seed in zip(turn, seeds, strict=True):
            there = _here(cell)
            run = runner.run(there, index=index, seed=seed)
            runs.append(replace(run, cell=cell))
        return runs


def _here(cell: Cell) -> Cell:
    """Returns a cell with its workload file where this host has it.

    Raises:
        MeasurementError: it has none of that name.
    """
    if Path(cell.workload.path).is_file():
        resolve(cell.workload.path, cell.workload.name)
        return cell
    found = discover().get(cell.workload.name)
    if found is None:
        raise MeasurementError(
            f"this host has no workload file {cell.workload.path} and none of its name; copy it there"
        )
    return replace(cell, workload=found.ref)
