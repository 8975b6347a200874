import asyncio
from concurrent.futures import ProcessPoolExecutor
from functools import partial
import multiprocessing
import os
from typing import Any

from loopstall.records.units import format_ns

WORKERS = os.cpu_count() or 1
pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))


async def start() -> None:  # in the lifespan of the program, before the first client
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(pool, os.getpid) for _ in range(WORKERS)))


async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, partial(format_ns, *args, **kwargs))
