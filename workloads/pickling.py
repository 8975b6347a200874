"""A small job with a big argument."""

from collections.abc import Iterator
import contextlib

from loopstall import workload


@workload(params={"records": [100_000]}, on_request=True)
def pickling(seed: int, *, records: int, payload: list[float]) -> float:
    """A look-up in a big list, which has to travel wherever the job goes.

    Stands for a data frame, a model or a picture that is handed to a process pool for a moment's work. On the loop
    and in threads the argument costs nothing; a process pool pickles it for every job, on the loop's own thread,
    and unpickles it in the worker. A right answer is the sum of a few of its values.
    """
    return sum(payload[(seed + step) % records] for step in range(10))


@pickling.context
@contextlib.contextmanager
def _(seed: int, *, records: int) -> Iterator[dict[str, list[float]]]:  # noqa: ARG001
    yield {"payload": [number / 8 for number in range(records)]}


@pickling.verify
def _(result: object, seed: int, *, records: int, payload: list[float]) -> bool:  # noqa: ARG001
    return result == sum(((seed + step) % records) / 8 for step in range(10))
