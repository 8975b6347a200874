"""A workload whose jobs call the function that advice is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from loopstall.workloads import target as targets
from loopstall.workloads.definition import workload

_load = lru_cache(maxsize=16)(targets.load)


@workload
def call(seed: int, target: str, given: str, positional: list[Any], named: dict[str, Any]) -> Any:  # noqa: ARG001
    """The user's function with the user's arguments, which travel to it as those of its callers would."""
    return _load(target)(*positional, **named)


@call.context
@contextmanager
def _context(seed: int, target: str, given: str) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    _load(target)
    positional, named = targets.arguments(given)
    yield {"positional": positional, "named": named}


@call.verify
def _verify(result: Any, seed: int, **_: Any) -> bool:  # noqa: ARG001
    return True  # what is right, the user's tests say
