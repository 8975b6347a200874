"""Blocking sleeps, sent to threads."""

import asyncio
import time


async def main():
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.3) for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main())
