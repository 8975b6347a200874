"""How typed programs use the package; mypy checks it, nothing runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from loopstall import workload
from loopstall.monitor import Monitor
from loopstall.records import Observation
from loopstall.workloads import Workload


@workload
def plain(seed: int) -> int:
    return seed


@workload(params={"n": [1, 2], "word": ["a"]}, control=True)
def with_parameters(seed: int, *, n: int, word: str) -> str:
    return word * n


@with_parameters.native(requires=["aiofiles"])
async def _(seed: int, *, n: int, word: str) -> str:
    await asyncio.sleep(0)
    return word * n


@with_parameters.verify
def _(result: object, seed: int, *, n: int, word: str) -> bool:
    return result == word * n


@with_parameters.context
@contextmanager
def _(seed: int, *, n: int, word: str) -> Iterator[dict[str, str]]:
    yield {}


first: Workload = plain
second: Workload = with_parameters


async def watched() -> Observation:
    monitor = Monitor(threshold_ns=5_000_000)
    monitor.start()
    await asyncio.sleep(1)
    return monitor.stop()
