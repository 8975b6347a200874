"""A regular expression that backtracks over text from outside."""

import asyncio
import re

CAUSES = {"cpu-native"}
PATTERN = re.compile(r"^(\w+\s?)*$")


async def validate(text):
    return PATTERN.match(text)  # culprit


async def main():
    await asyncio.gather(validate("a" * 24 + "!"), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
