"""A handler that waits with time.sleep."""

import asyncio
import time

CAUSES = {"blocking-call"}


async def handler():
    time.sleep(0.2)  # culprit


async def main():
    await asyncio.gather(handler(), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
