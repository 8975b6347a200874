"""How typed programs use the package; mypy checks it, nothing runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import loopstall
from loopstall import Stall, workload
from loopstall.workloads.definition import Workload


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


async def watched() -> int:
    with loopstall.watch(threshold=0.005) as stalls:
        await asyncio.sleep(1)
    first_stall: Stall = stalls[0]
    return first_stall.duration_ns + stalls.count


@loopstall.watch(threshold=0.01, on_stall=print)
async def decorated(word: str) -> str:
    return word


def typed() -> str:
    answer: str = asyncio.run(decorated("a"))
    return answer
