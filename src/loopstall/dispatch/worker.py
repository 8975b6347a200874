"""What runs inside the workers of a pool of processes or interpreters."""

from collections.abc import Callable
from functools import lru_cache
import os
import threading
import time
from typing import Any, Protocol

from loopstall.dispatch.forks import ForkMark
from loopstall.workloads import resolve

__all__ = ["arrive", "invoke", "prepare"]

_START_LIMIT_S = 60.0
_ARRIVAL_S = 0.001


class _Barrier(Protocol):
    def wait(self, timeout: float) -> int: ...


def prepare(barrier: _Barrier, path: str, name: str) -> None:
    """Loads the workload and waits until every worker process of the pool has done so."""
    import faulthandler  # noqa: PLC0415  # only the main interpreter of a process can have it

    faulthandler.enable()
    _target(path, name)
    try:
        barrier.wait(_START_LIMIT_S)
    except threading.BrokenBarrierError as error:
        raise RuntimeError("another worker of the process pool did not start") from error


def arrive(path: str, name: str) -> int:
    """Loads the workload and returns which thread has done so, late enough for an idle one to take the next call."""
    _target(path, name)
    time.sleep(_ARRIVAL_S)
    return threading.get_ident()


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
