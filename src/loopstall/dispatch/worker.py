"""What runs inside the workers of a process pool."""

from collections.abc import Callable
import faulthandler
from functools import lru_cache
import os
import threading
from typing import Any, Protocol

from loopstall.dispatch.forks import ForkMark
from loopstall.workloads import resolve

__all__ = ["invoke", "prepare"]

_START_LIMIT_S = 60.0


class _Barrier(Protocol):
    def wait(self, timeout: float) -> int: ...


def prepare(barrier: _Barrier, path: str, name: str) -> None:
    """Loads the workload and waits until every worker of the pool has done so."""
    faulthandler.enable()
    _target(path, name)
    try:
        barrier.wait(_START_LIMIT_S)
    except threading.BrokenBarrierError as error:
        raise RuntimeError("another worker of the process pool did not start") from error


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
