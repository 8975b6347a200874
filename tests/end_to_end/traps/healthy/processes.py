"""Computing in a process pool."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
import multiprocessing


def crunch(count):
    return sum(number * number for number in range(count))


async def main():
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        assert await asyncio.get_running_loop().run_in_executor(pool, crunch, 2_000_000) > 0
    finally:
        await asyncio.to_thread(pool.shutdown)


if __name__ == "__main__":
    asyncio.run(main())
