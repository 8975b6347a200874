"""Code that runs inside the workers of a pool, a queue or a cluster."""

from collections.abc import Callable
from functools import lru_cache
import os
import threading
import time
from typing import Any, Protocol

from loopstall.dispatch.forks import ForkMark
from loopstall.workloads.loader import resolve

__all__ = ["invoke", "prepare", "prime"]

_START_LIMIT_S = 60.0
_primed: set[tuple[str, str, tuple[int, ...]]] = set()


class _Barrier(Protocol):
    def wait(self, timeout: float) -> int: ...


def prepare(barrier: _Barrier, path: str, name: str) -> None:
    """Loads the workload and waits until every worker of the pool has done so."""
    import faulthandler  # only the main interpreter of a process can have it

    faulthandler.enable()
    _target(path, name)
    try:
        barrier.wait(_START_LIMIT_S)
    except threading.BrokenBarrierError as error:
        raise RuntimeError("another worker of the process pool did not start") from error


def prime(path: str, name: str, seeds: tuple[int, ...], kwargs: dict[str, Any], hold_s: float) -> int:
    """Does the first jobs of this worker, and returns its identity.

    Args:
        path: the workload's file.
        name: its name there.
        seeds: of the jobs; none where the first job is what matters, and the workload is loaded only.
        kwargs: the keyword arguments of every job.
        hold_s: the time to keep the worker, so that others have their turn.
    """
    _target(path, name)
    if (path, name, seeds) not in _primed:
        _primed.add((path, name, seeds))
        for seed in seeds:
            invoke(path, name, seed, kwargs)
    time.sleep(hold_s)
    return threading.get_native_id()


@lru_cache(maxsize=16)
def _target(path: str, name: str) -> tuple[Callable[..., Any], ForkMark]:
    return resolve(path, name).function, ForkMark()


def invoke(path: str, name: str, seed: int, kwargs: dict[str, Any]) -> Any:
    """Does one job of the workload of that name in that file."""
    function, copy = _target(path, name)
    try:
        return function(seed, **kwargs)
    finally:
        if copy:
            os._exit(0)
