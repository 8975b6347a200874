"""A thread that keeps the GIL while the loop would run."""

import asyncio
import re
import threading

CAUSES = {"gil-wait"}
NEEDS_GIL = True  # without one it stalls nothing


def crunch():
    re.match(r"^(\w+\s?)*$", "a" * 24 + "!")  # culprit


async def main():
    thread = threading.Thread(target=crunch, name="cruncher")
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(main())
