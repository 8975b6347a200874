"""Producers and consumers."""

import asyncio


async def main():
    queue = asyncio.Queue(10)

    async def produce():
        for number in range(500):
            await queue.put(number)

    async def consume():
        for _ in range(500):
            await queue.get()
            await asyncio.sleep(0)

    await asyncio.gather(produce(), produce(), consume(), consume())


if __name__ == "__main__":
    asyncio.run(main())
