"""Computing that lets the others in every millisecond."""

import asyncio


async def main():
    total = 0
    for _ in range(400):
        total += sum(number * number for number in range(10_000))
        await asyncio.sleep(0)
    assert total


if __name__ == "__main__":
    asyncio.run(main())
