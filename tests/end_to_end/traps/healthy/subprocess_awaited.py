"""A program that is awaited."""

import asyncio
import sys


async def main():
    program = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "import time; time.sleep(0.3)")
    assert await program.wait() == 0


if __name__ == "__main__":
    asyncio.run(main())
