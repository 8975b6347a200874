"""A matrix over the workers of a Dask cluster: whole runs, one at a time on each host, nothing counted twice.

What is sent is a *turn*: all cells of one row in one round, so that strategies which are compared with each other are
measured on one host, one after the other. A turn comes back as a whole, once; one whose worker dies is done again on
another. A host gets its next turn when the one before has come back, however many workers it has: two runs at a time
would measure each other.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
import platform
import time
from typing import Any

from loopstall.errors import InputError, MeasurementError
from loopstall.records import Cell, Plan, Run, RunError
from loopstall.runner import environment
from loopstall.runner.schedule import Slot, run_seed
from loopstall.runner.single import Limits, Runner
from loopstall.workloads.loader import discover, resolve

__all__ = ["RESOURCE", "execute", "host_key", "turns_of"]

RESOURCE = "loopstall"
"""The Dask resource of which a worker has one, where it has several threads."""

_CONNECT_S = 10
_LOOK_S = 1.0  # how often it is looked which workers there are
_NOBODY_LIMIT_S = 60.0  # without any worker
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Turn = list[Slot]


def turns_of(slots: Iterable[Slot]) -> list[Turn]:
    """Returns slots by row and round, in the order in which they come."""
    turns: dict[tuple[int, str, str], Turn] = {}
    for cell, index in slots:
        turns.setdefault((index, cell.row, str(cell.load)), []).append((cell, index))
    return list(turns.values())


@dataclass(frozen=True, slots=True)
class _Sent:
    """A turn that is under way, the host that has it, and the workers there that may do it."""

    turn: Turn
    host: str
    workers: frozenset[str]


def execute(
    plan: Plan,
    slots: Iterable[Slot],
    *,
    scheduler: str,
    limits: Limits,
    save: Callable[[Run], object],
    told: Callable[[str], object],
) -> Generator[Run]:
    """Measures slots on a cluster and yields each run when it has been saved.

    Args:
        plan: the plan, with its seed.
        slots: the slots to measure.
        scheduler: its address.
        limits: of each run.
        save: keeps a run.
        told: called with remarks about the cluster.

    Raises:
        InputError: Dask is not installed, the scheduler cannot be reached, or its workers could do two runs at a time.
        MeasurementError: no worker is left.
    """
    try:
        from distributed import Client  # an extra
    except ImportError as error:
        raise InputError("distributed is not installed; pip install loopstall[dask]") from error
    try:
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot reach the scheduler {scheduler}: {error}; check --scheduler") from error
    with client:
        hosts = _Hosts(client, _one_at_a_time(client.scheduler_info(n_workers=-1)["workers"]))
        told(hosts.sentence())
        for sent, future in _carried_out(hosts, plan, turns_of(slots), limits):
            for run in _came_back(future, sent.turn):
                save(run)
                yield run


def _carried_out(hosts: "_Hosts", plan: Plan, turns: Iterable[Turn], limits: Limits) -> Iterator[tuple[_Sent, Any]]:
    """Sends turns to hosts, one at a time to each, and yields those that have come back."""
    waiting, under_way = deque(turns), dict[Any, _Sent]()
    seen_s = time.monotonic()
    try:
        while waiting or under_way:
            there = hosts.look()
            for future, sent in tuple(under_way.items()):
                if not future.done() and not sent.workers & there.keys():  # nobody is left who could do it
                    hosts.client.cancel([future])
                    waiting.appendleft(under_way.pop(future).turn)
            seen_s = time.monotonic() if there else seen_s
            if time.monotonic() - seen_s > _NOBODY_LIMIT_S:
                raise MeasurementError(
                    "the cluster has had no worker for a minute; start some, and complete the result with --resume"
                )
            for host in dict.fromkeys(there.values()):
                if waiting and all(sent.host != host for sent in under_way.values()):
                    sent = _Sent(waiting.popleft(), host, frozenset(w for w, other in there.items() if other == host))
                    future = hosts.client.submit(
                        _measure, sent.turn, [run_seed(plan, index) for _, index in sent.turn], limits,
                        pure=False, resources=hosts.resources, retries=0, workers=sorted(sent.workers),
                    )  # fmt: skip
                    under_way[future] = sent
            for future in _done(under_way):
                yield under_way.pop(future), future
    finally:
        with contextlib.suppress(Exception):  # a scheduler that is gone has nothing left to do
            hosts.client.cancel(list(under_way))


def _done(under_way: Mapping[Any, _Sent]) -> list[Any]:
    """Waits a while for turns, and returns the finished ones."""
    from distributed import wait  # an extra

    if not under_way:
        time.sleep(_LOOK_S)
        return []
    with contextlib.suppress(TimeoutError):
        wait(list(under_way), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
    return [future for future in under_way if future.done()]


class _Hosts:
    """Which host each worker is on.

    Args:
        client: of the cluster.
        resources: of what a worker that takes part has so many; None for no matter what.
    """

    def __init__(self, client: Any, resources: dict[str, int] | None) -> None:
        self.client = client
        self.resources = resources
        self._known: dict[str, str] = {}

    def look(self) -> dict[str, str]:
        """Returns the host of each worker that is there now and takes part, by its address."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        wanted = (self.resources or {}).keys()
        there = [address for address, worker in workers.items() if wanted <= worker["resources"].keys()]
        new = [address for address in there if address not in self._known]
        if new:
            # A worker may end between the two questions: then it does not answer, and is asked again if it is there.
            answers = self.client.run(host_key, workers=new, on_error="ignore")
            self._known.update(answers)
        return {address: self._known[address] for address in there if address in self._known}

    def sentence(self) -> str:
        """Describes the workers and their hosts in a sentence."""
        there = self.look()
        workers, hosts = len(there), len(set(there.values()))
        return (
            f"{workers} {'worker' if workers == 1 else 'workers'} on {hosts} {'host' if hosts == 1 else 'hosts'}:"
            f" at most one run at a time on each host"
        )


def host_key() -> str:
    """Returns what all processes of a machine have in common, in containers as well, and no other machine has."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return platform.node()


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
