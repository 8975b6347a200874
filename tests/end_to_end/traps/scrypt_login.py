"""A login that hashes the password on the loop."""

import asyncio
import hashlib

CAUSES = {"cpu-native"}


def check(password):
    return hashlib.scrypt(password, salt=b"salt", n=2**15, r=8, p=4, maxmem=2**27)  # culprit


async def login(password):
    return check(password)


async def main():
    await asyncio.gather(login(b"secret"), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
