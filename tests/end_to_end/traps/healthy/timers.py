"""Many tasks that sleep."""

import asyncio


async def main():
    await asyncio.gather(*(asyncio.sleep(number % 50 / 1000) for number in range(2000)))


if __name__ == "__main__":
    asyncio.run(main())
