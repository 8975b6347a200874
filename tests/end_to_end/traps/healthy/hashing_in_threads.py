"""Passwords hashed in a thread: the work releases the GIL."""

import asyncio
import hashlib


def check():
    return hashlib.scrypt(b"secret", salt=b"salt", n=2**14, r=8, p=4, maxmem=2**27)


async def main():
    await asyncio.to_thread(check)
    await asyncio.to_thread(check)


if __name__ == "__main__":
    asyncio.run(main())
