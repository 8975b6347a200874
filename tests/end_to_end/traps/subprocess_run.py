"""A program that is waited for."""

import asyncio
import subprocess
import sys

CAUSES = {"blocking-call"}


async def convert():
    return subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(0.2)"], check=True)  # culprit


async def main():
    await asyncio.gather(convert(), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
