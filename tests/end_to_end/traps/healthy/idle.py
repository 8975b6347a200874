"""A loop that has nothing to do for a while."""

import asyncio


async def main():
    await asyncio.sleep(0.6)


if __name__ == "__main__":
    asyncio.run(main())
