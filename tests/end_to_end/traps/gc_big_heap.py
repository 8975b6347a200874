"""A collection of a big heap."""

import asyncio
import gc

CAUSES = {"gc"}
HEAP = [{"number": [number]} for number in range(600_000)]


async def handler():
    gc.collect()  # culprit


async def main():
    assert HEAP
    await asyncio.gather(handler(), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
