"""A call that blocks its thread and computes nothing."""

import asyncio
import time

from loopstall import workload


@workload(params={"seconds": [0.01]}, control=True)
def blocking_sleep(seed: int, *, seconds: float) -> int:
    """Control: blocks the thread for a set time, as a synchronous client waiting for its server does.

    Stands for `requests.get`, a synchronous database driver or `time.sleep` inside an `async def`. The result is
    arithmetic (jobs at a time / seconds), so that it shows that the machinery works and decides nothing. A right
    answer is the seed, after the wait.
    """
    time.sleep(seconds)
    return seed


@blocking_sleep.async_version()
async def _(seed: int, *, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return seed


@blocking_sleep.verify
def _(result: object, seed: int, *, seconds: float) -> bool:  # noqa: ARG001  # the wait leaves no trace
    return result == seed
