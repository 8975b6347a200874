"""A loop in pure Python."""

import asyncio

CAUSES = {"cpu-python"}


async def handler():
    total = 0
    for number in range(4_000_000):  # culprit
        total += number * number  # culprit
    return total


async def main():
    await asyncio.gather(handler(), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
